//! Bounds-checked little-endian access to byte slices: returns `None` out of range, never panics.

/// The `N` bytes at `at`; `None` if the slice ends before them.
#[inline]
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The little-endian `u64` at `at`.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// The little-endian `u16` at `at`.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// Copies `value` to `at`. Does nothing if the destination is too short, which cannot happen: the
/// callers' buffers are arrays of a whole page.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let Some(end) = at.checked_add(value.len()) else { return };
    if let Some(target) = bytes.get_mut(at..end) {
        target.copy_from_slice(value);
    }
}
