//! A process of its own for each step, so that no store measures what another one left in memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use crate::findings::{Findings, Missing};
use crate::scale::{Scale, Size};
use crate::scenarios::Planned;
use crate::steps::{Context, Step};

/// The first argument of such a process.
pub const STEP: &str = "--step";

/// Before the line that has all findings.
const FINDINGS: &str = "findings ";

const ACKNOWLEDGED: &str = crate::steps::ACKNOWLEDGED;

/// What is asked of one process.
pub struct Order<'a> {
    pub store: &'a str,
    pub planned: &'a Planned,
    pub argument: u64,
    pub directory: &'a Path,
    pub scale: &'a Scale,
    pub selected: &'a [String],
}

/// What came of it, and how many entries were acknowledged.
pub fn execute(order: &Order<'_>) -> (Findings, u64) {
    let step = order.planned.step.name();
    let mut acknowledged = 0;
    let findings = run(order, &mut acknowledged).unwrap_or_else(|why| Findings {
        missing: vec![Missing { row: step.into(), why, is_unsupported: false }],
        is_over: true,
        ..Default::default()
    });
    (findings, acknowledged)
}

fn run(order: &Order<'_>, acknowledged: &mut u64) -> Result<Findings, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .arg(STEP)
        .arg(order.planned.step.name())
        .arg(order.store)
        .arg(order.directory)
        .arg(order.scale.size.name())
        .arg(order.argument.to_string())
        .arg(order.selected.join(","))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start a process: {error}"))?;
    let outcome = listen(&mut child, order, acknowledged);
    // It may still run.
    child.kill().ok();
    let status = child.wait().map_err(|error| error.to_string())?;
    outcome?.ok_or_else(|| format!("the process ended without a result: {status}"))
}

fn listen(
    child: &mut Child,
    order: &Order<'_>,
    acknowledged: &mut u64,
) -> Result<Option<Findings>, String> {
    let output = child.stdout.take().ok_or("no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + order.scale.patience;
    loop {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("took more than {:?}", order.scale.patience));
            }
        };
        if let Some(found) = line.strip_prefix(FINDINGS) {
            return serde_json::from_str(found).map(Some).map_err(|error| error.to_string());
        }
        if let Some(count) = line.strip_prefix(ACKNOWLEDGED) {
            *acknowledged = count.parse().map_err(|_| format!("not a number: {count}"))?;
            if order.planned.kill_after.is_some_and(|enough| *acknowledged >= enough) {
                return Ok(Some(Findings::default()));
            }
        }
    }
}

/// The other side: does what it is told, and prints what it finds.
pub fn serve(arguments: &[String]) -> Result<(), String> {
    let [step, store, directory, size, argument, selected] = arguments else {
        return Err(format!("{STEP} takes six arguments"));
    };
    let context = Context {
        directory: directory.into(),
        scale: Scale::new(Size::by_name(size).ok_or("no such size")?),
        argument: argument.parse().map_err(|_| "not a number")?,
        selected: selected.split(',').filter(|row| !row.is_empty()).map(Into::into).collect(),
    };
    let step = Step::by_name(step).ok_or("no such step")?;
    let findings = crate::steps::run(step, store, &context).ok_or("no such store")?;
    let line = serde_json::to_string(&findings).map_err(|error| error.to_string())?;
    println!("{FINDINGS}{line}");
    Ok(())
}
