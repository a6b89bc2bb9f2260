//! Why a payload cannot be read as a slice of a type.

use std::io;

use bytemuck::PodCastError;

/// Why [`EntryHandle::as_typed`](crate::EntryHandle::as_typed) cannot return a slice.
///
/// It converts into a [`std::io::Error`] of kind `InvalidData`. Use [`std::io::Error::get_ref`] and
/// `downcast_ref::<TypedViewError>()` to get it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedViewError {
    /// The payload's length is not a multiple of the element size: the value was written as another
    /// type.
    #[error(
        "payload of {len} bytes cannot be divided into elements of {size} bytes; use the type that \
         the value was written as"
    )]
    Length {
        /// Length of the payload in bytes.
        len: usize,
        /// Size of one element in bytes.
        size: usize,
    },
    /// The payload's address is not aligned for the type, which needs a larger alignment than the
    /// store provides.
    #[error(
        "the type needs an alignment of {expected} bytes, but the payload is aligned to {got}; keep \
         the value in a store of that alignment, or copy it"
    )]
    Alignment {
        /// Alignment of the type in bytes.
        expected: usize,
        /// Largest power of two that divides the payload's address, in bytes.
        got: usize,
    },
}

impl TypedViewError {
    /// The error for `payload`, whose cast to a slice of `T` failed with `error`.
    pub(crate) fn of<T>(error: PodCastError, payload: &[u8]) -> Self {
        match error {
            PodCastError::TargetAlignmentGreaterAndInputNotAligned
            | PodCastError::AlignmentMismatch => {
                let address = payload.as_ptr().addr();
                let got = 1_usize.checked_shl(address.trailing_zeros()).unwrap_or(0);
                Self::Alignment { expected: align_of::<T>(), got }
            }
            PodCastError::SizeMismatch | PodCastError::OutputSliceWouldHaveSlop => {
                Self::Length { len: payload.len(), size: size_of::<T>() }
            }
        }
    }
}

impl From<TypedViewError> for io::Error {
    fn from(error: TypedViewError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of<T: bytemuck::Pod + std::fmt::Debug>(payload: &[u8]) -> TypedViewError {
        let error = bytemuck::try_cast_slice::<u8, T>(payload).unwrap_err();
        TypedViewError::of::<T>(error, payload)
    }

    #[test]
    fn a_payload_with_a_part_of_an_element_is_told_by_its_length() {
        let aligned = [0_u64; 2];
        let payload = &bytemuck::cast_slice::<u64, u8>(&aligned)[..10];
        let error = error_of::<u64>(payload);
        assert_eq!(error, TypedViewError::Length { len: 10, size: 8 });
        assert!(
            error.to_string().starts_with("payload of 10 bytes cannot be divided into elements")
        );
    }

    #[test]
    fn a_payload_at_an_odd_address_is_told_by_its_alignment() {
        let aligned = [0_u64; 3];
        for (start, got) in [(1, 1), (2, 2), (4, 4)] {
            let payload = &bytemuck::cast_slice::<u64, u8>(&aligned)[start..start + 16];
            let error = error_of::<u64>(payload);
            assert_eq!(error, TypedViewError::Alignment { expected: 8, got });
        }
    }

    #[test]
    fn it_can_be_reached_inside_an_io_error() {
        let error = TypedViewError::Length { len: 10, size: 8 };
        let inside = io::Error::from(error);
        assert_eq!(inside.kind(), io::ErrorKind::InvalidData);
        let found = inside.get_ref().and_then(|inner| inner.downcast_ref::<TypedViewError>());
        assert_eq!(found, Some(&error));
    }
}
