//! Patterns of what to leave out.

use std::path::Path;

use anyhow::{Context as _, Result};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The patterns given with `--exclude`.
#[derive(Debug)]
pub(crate) struct Excludes {
    /// Patterns without a `/`, which match names.
    names: GlobSet,
    /// Patterns with a `/`, which match paths below the imported directory.
    paths: GlobSet,
}

impl Excludes {
    pub(crate) fn new(patterns: &[String]) -> Result<Self> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let set = if pattern.contains('/') { &mut paths } else { &mut names };
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.with_context(|| format!("cannot understand --exclude {pattern}"))?);
        }
        Ok(Self { names: names.build()?, paths: paths.build()? })
    }

    /// Whether a file or directory is left out. `relative` is its path below the imported
    /// directory.
    pub(super) fn contain(&self, relative: &Path) -> bool {
        let name = relative.file_name().map(Path::new);
        name.is_some_and(|name| self.names.is_match(name)) || self.paths.is_match(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_at_any_depth_and_a_path_from_the_top() -> Result<()> {
        let patterns = ["target", "*.o", "docs/*.pdf", "**/cache/*"].map(str::to_owned);
        let excludes = Excludes::new(&patterns)?;
        for out in ["target", "a/target", "x.o", "a/b/x.o", "docs/x.pdf", "a/cache/x"] {
            assert!(excludes.contain(Path::new(out)), "{out}");
        }
        for kept in ["targets", "a/x.obj", "a/docs/x.pdf", "docs/a/x.pdf", "cache"] {
            assert!(!excludes.contain(Path::new(kept)), "{kept}");
        }
        assert!(Excludes::new(&["a[".to_owned()]).is_err());
        Ok(())
    }
}
