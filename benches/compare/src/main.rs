//! The command: see `README.md`.

use std::process::ExitCode;

use simd_r_drive_compare::args::{Args, USAGE};
use simd_r_drive_compare::{process, report, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if arguments.first().is_some_and(|first| first == process::STEP) {
        process::serve(&arguments[1..])
    } else if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        Ok(())
    } else {
        command(&arguments)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("compare: {message}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String]) -> Result<(), String> {
    let args = Args::parse(arguments)?;
    if let Some(file) = &args.render {
        let results = report::read_json(file)?;
        return report::write(&results, &args.out);
    }
    let results = run::run(&args)?;
    report::write(&results, &args.out)?;
    run::verdict(&results)
}
