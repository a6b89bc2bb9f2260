//! Typed views that fall back to a copy.

use std::borrow::Cow;

use bytemuck::Pod;

/// `bytes` as a slice of `T`: borrowed if they are aligned for `T` and the machine is
/// little-endian, otherwise decoded into a copy by `from_le_bytes`. `N` is the size of `T` in
/// bytes.
///
/// ```
/// use simd_r_drive::utils::align_or_copy;
///
/// let bytes: Vec<u8> = [1_u32, 2, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
/// assert_eq!(*align_or_copy::<u32, 4>(&bytes, u32::from_le_bytes), [1, 2, 3]);
/// ```
///
/// # Panics
/// If `N` is not the size of `T`, or the length of `bytes` is not a multiple of it.
pub fn align_or_copy<T: Pod, const N: usize>(
    bytes: &[u8],
    from_le_bytes: fn([u8; N]) -> T,
) -> Cow<'_, [T]> {
    assert_eq!(size_of::<T>(), N, "N must be the size of the element type");
    assert!(
        N > 0 && bytes.len().is_multiple_of(N),
        "length must be a multiple of the element size"
    );
    if cfg!(target_endian = "little")
        && let Ok(typed) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(typed);
    }
    let (chunks, _) = bytes.as_chunks::<N>();
    Cow::Owned(chunks.iter().map(|chunk| from_le_bytes(*chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_bytes_are_borrowed_and_others_copied() {
        let numbers = [1.0_f64, -2.0, 3.5];
        let bytes: &[u8] = bytemuck::cast_slice(&numbers);
        assert!(
            matches!(align_or_copy::<f64, 8>(bytes, f64::from_le_bytes), Cow::Borrowed(n) if n == numbers)
        );
        let mut shifted = vec![0_u64; 4];
        let shifted: &mut [u8] = bytemuck::cast_slice_mut(&mut shifted);
        shifted[1..25].copy_from_slice(bytes);
        assert!(
            matches!(align_or_copy::<f64, 8>(&shifted[1..25], f64::from_le_bytes), Cow::Owned(n) if n == numbers)
        );
    }

    #[test]
    #[should_panic(expected = "multiple of the element size")]
    fn odd_lengths_are_refused() {
        align_or_copy::<u32, 4>(&[1, 2, 3], u32::from_le_bytes);
    }

    #[test]
    #[should_panic(expected = "size of the element type")]
    fn a_wrong_size_is_refused() {
        align_or_copy::<u32, 2>(&[1, 2], |bytes| u16::from_le_bytes(bytes).into());
    }
}
