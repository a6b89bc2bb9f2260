//! Messages of errors.

use std::error::Error;
use std::io;

use simd_r_drive::FormatError;

/// The typed error inside `error`.
#[track_caller]
pub(crate) fn typed<E: Error + 'static>(error: &io::Error) -> &E {
    let inner = error.get_ref().unwrap_or_else(|| panic!("an error without an inner one: {error}"));
    inner.downcast_ref().unwrap_or_else(|| panic!("another error was expected than: {error:?}"))
}

/// Whether `error` comes from the format, and if it speaks of damage, from where.
#[track_caller]
pub(crate) fn assert_names_damage(error: &io::Error, what: &str) {
    match typed::<FormatError>(error) {
        FormatError::Damaged { offset, .. } => {
            assert!(error.to_string().contains(&offset.to_string()), "{what}: {error}");
        }
        FormatError::Truncated { len, expected, .. } => assert!(len < expected, "{what}: {error}"),
        other => panic!("{what}: {other:?}"),
    }
}
