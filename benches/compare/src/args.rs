//! The arguments of the command.

use std::path::PathBuf;

use crate::scale::Size;
use crate::stores::profiles;

pub const USAGE: &str = "\
usage: compare [--quick | --large] [--rows A,B] [--stores X,Y] [--rounds N] [--dir DIR] [--out DIR]
       compare --render FILE [--out DIR]

  --quick        tiny sizes, within a minute: shows that everything works, and measures nothing
  --large        more time for each row, and stores of 10^8 entries: takes hours
  --rows A,B     only rows whose names start so; the tables give the names
  --stores X,Y   only stores whose names start so, in any case
  --rounds N     rounds of every measurement
  --dir DIR      where stores are kept meanwhile (default: the system's temporary directory)
  --out DIR      where results go (default: compare-results)
  --render FILE  makes tables and plots anew from results.json
";

#[derive(Debug, PartialEq)]
pub struct Args {
    pub size: Size,
    pub rows: Vec<String>,
    /// Names of stores, in the order of the tables.
    pub stores: Vec<&'static str>,
    pub rounds: Option<usize>,
    pub directory: Option<PathBuf>,
    pub out: PathBuf,
    pub render: Option<PathBuf>,
}

impl Args {
    /// # Errors
    /// What is wrong with them.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut args = Self {
            size: Size::Full,
            rows: Vec::new(),
            stores: Vec::new(),
            rounds: None,
            directory: None,
            out: "compare-results".into(),
            render: None,
        };
        let mut stores = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => args.size = Size::Quick,
                "--large" => args.size = Size::Large,
                "--rows" => args.rows = list(value()?),
                "--stores" => stores = list(value()?),
                "--rounds" => {
                    let rounds = value()?.parse().ok().filter(|rounds| *rounds > 0);
                    args.rounds = Some(rounds.ok_or("--rounds needs a number above 0")?);
                }
                "--dir" => args.directory = Some(value()?.into()),
                "--out" => args.out = value()?.into(),
                "--render" => args.render = Some(value()?.into()),
                other => return Err(format!("unknown argument {other}\n{USAGE}")),
            }
        }
        args.stores = selected(&stores)?;
        Ok(args)
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').filter(|part| !part.is_empty()).map(Into::into).collect()
}

fn selected(starts: &[String]) -> Result<Vec<&'static str>, String> {
    let names: Vec<&str> = profiles().iter().map(|profile| profile.name).collect();
    let matches = |name: &str, start: &str| {
        name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    if let Some(unknown) = starts.iter().find(|start| !names.iter().any(|n| matches(n, start))) {
        return Err(format!("no store {unknown}; there are: {}", names.join(", ")));
    }
    let is_wanted = |name: &&str| starts.is_empty() || starts.iter().any(|s| matches(name, s));
    Ok(names.into_iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::Args;
    use crate::scale::Size;

    fn parsed(arguments: &[&str]) -> Result<Args, String> {
        let owned: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Args::parse(&owned)
    }

    #[test]
    fn everything_is_measured_by_default() {
        let args = parsed(&[]).unwrap();
        assert_eq!((args.size, args.rows.len()), (Size::Full, 0));
        assert!(args.stores.len() > 3);
    }

    #[test]
    fn stores_are_chosen_by_the_start_of_a_name() {
        let args = parsed(&["--quick", "--stores", "lmdb,SIMD", "--rows", "get,put"]).unwrap();
        assert_eq!(args.stores, ["simd-r-drive", "LMDB"]);
        assert_eq!(args.rows, ["get", "put"]);
        assert_eq!(args.size, Size::Quick);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parsed(&["--fast"]).unwrap_err().contains("--fast"));
        assert!(parsed(&["--stores", "oracle"]).unwrap_err().contains("oracle"));
        assert!(parsed(&["--rounds", "0"]).unwrap_err().contains("--rounds"));
        assert!(parsed(&["--out"]).unwrap_err().contains("--out"));
    }
}
