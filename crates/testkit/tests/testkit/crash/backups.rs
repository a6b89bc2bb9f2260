//! Power is lost, or the process dies, at any moment of an incremental backup: what is left opens
//! to a commit between the old backup and the new one, and the next backup completes it.
//!
//! A backup once wrote the barriers of a stretch together. A later one could survive, which says
//! that everything before it is on the medium, while an earlier one did not. The backup was then
//! damaged below its durable point. The next backup did not notice, appended to it, and returned
//! `Ok`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{DataStore, OpenOptions};
use simd_r_drive_testkit::{
    Change, Disk, FileId, Journal, Loss, Model, Operation, Recorded, Rng, SECTOR_LEN, Session,
    Value, check_image, contents, effort,
};
use tempfile::TempDir;

/// If a loss of power may leave at most this many different files, all are tried.
const ALL_MAX: usize = 300;

/// Where the log starts.
const HEADER_LEN: usize = 16 << 10;

/// An incremental backup that was recorded.
struct Recording {
    directory: TempDir,
    source: Session,
    /// What the source held when the old backup was made, and after each later operation.
    commits: Vec<Model>,
    old: Vec<u8>,
    new: Vec<u8>,
    /// The changes that the incremental backup made to its file.
    changes: Vec<Change>,
}

/// Counts of what the images held.
#[derive(Debug, Default)]
struct Tally {
    images: usize,
    in_between: usize,
    cut: usize,
}

impl Recording {
    /// Backs up a store after `before`, and again after `since`.
    fn new(before: &[Operation], since: &[Operation]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let backup = directory.path().join("backup.srd");
        let mut source = Session::new(&directory.path().join("store.srd"), 64);
        for operation in before {
            source.step(operation).unwrap();
        }
        source.open().unwrap().backup(&backup).unwrap();
        let old = fs::read(&backup).unwrap();
        let mut commits = vec![source.model.clone()];
        for operation in since {
            source.step(operation).unwrap();
            commits.push(source.model.clone());
        }
        let changes = changes_of(&source.journal, || {
            let report = source.store().backup(&backup).unwrap();
            assert!(report.is_incremental && report.saved_to.is_none());
        });
        let new = fs::read(&backup).unwrap();
        fs::remove_file(&backup).unwrap();
        Self { directory, source, commits, old, new, changes }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn source(&self) -> &DataStore {
        self.source.store()
    }

    /// Calls `visit` with files that a crash at each moment of these changes to `image` may leave.
    /// If there are too many to try all, draws one for each kind of loss, or `samples` if log was
    /// written.
    fn each_image(
        &self,
        image: &[u8],
        changes: &[Change],
        samples: usize,
        rng: &mut Rng,
        mut visit: impl FnMut(&[u8], &mut Rng),
    ) {
        let mut disk = Disk::new(image.to_vec());
        for change in changes {
            if let Change::Write { offset, bytes } = change {
                // The process dies during the write.
                visit(&disk.seen_with_part(*offset, bytes, rng.below(bytes.len())), rng);
            }
            disk.apply(change);
            visit(disk.seen(), rng);
            if disk.losses() <= ALL_MAX {
                for image in disk.all_after_power_loss() {
                    visit(&image, rng);
                }
                continue;
            }
            let is_log =
                matches!(change, Change::Write { offset, .. } if *offset >= HEADER_LEN as u64);
            for _ in 0..if is_log { samples } else { 1 } {
                for loss in Loss::ALL {
                    visit(&disk.after_power_loss(loss, rng), rng);
                }
            }
        }
    }

    /// Checks a file that a crash left.
    fn check(&self, image: &[u8], tally: &mut Tally) {
        let models: Vec<&Model> = self.commits.iter().collect();
        // It opens for reading and for writing, and keeps what is written to it.
        let checked = check_image(self.directory.path(), image, 64, &models).unwrap();
        self.complete(image);
        tally.images += 1;
        tally.cut += usize::from(checked.report.uncommitted_bytes > 0);
        let is_end = checked.state == 0 || checked.state == models.len() - 1;
        tally.in_between += usize::from(!is_end);
    }

    /// Backs up to a file that a crash left. Returns the changes to the file.
    fn complete(&self, image: &[u8]) -> Vec<Change> {
        let path = self.path("resumed.srd");
        fs::write(&path, image).unwrap();
        let changes = changes_of(&self.source.journal, || {
            let report = self.source().backup(&path).unwrap();
            assert!(report.is_incremental);
            assert_eq!(report.saved_to, None, "the source has all that was cut off");
        });
        let copy = OpenOptions::new().read_only(true).verify_reads(true).open(&path).unwrap();
        assert!(copy.recovery_report().was_clean, "{:?}", copy.recovery_report());
        assert_eq!(copy.file_size().unwrap(), self.source().file_size().unwrap());
        assert_eq!(contents(&copy).unwrap(), self.source.model.content());
        assert!(fs::read(&path).unwrap()[HEADER_LEN..] == self.new[HEADER_LEN..]);
        changes
    }
}

/// The changes that `back_up` makes to the one file beside the store. The store is the first file
/// of the journal.
fn changes_of(journal: &Journal, back_up: impl FnOnce()) -> Vec<Change> {
    let start = journal.len();
    back_up();
    let changes = journal.changes().split_off(start).into_iter().filter(|(file, _)| *file != 0);
    let (mut files, changes): (Vec<FileId>, Vec<Change>) = changes.unzip();
    files.dedup();
    assert!(files.len() <= 1, "files {files:?} were written");
    changes
}

fn value(len: usize) -> Value {
    Value { len, seed: 4 }
}

/// Commits with barriers between them, since closing a store adds one, and an index.
fn history() -> Vec<Operation> {
    use Operation::{BatchWrite, Checkpoint, CloseAndReopen, Delete, Rename, Write};
    vec![
        Write(1, value(300)),
        CloseAndReopen,
        BatchWrite(vec![(2, value(900)), (3, value(0)), (1, value(20))]),
        CloseAndReopen,
        Delete(2),
        Checkpoint,
        Write(5, value(1500)),
        CloseAndReopen,
        Rename(1, 2),
    ]
}

/// A barrier that names no tables is shorter, so all subsets of the sectors that many of them wrote
/// can be tried.
fn without_tables(mut operations: Vec<Operation>) -> Vec<Operation> {
    operations.retain(|operation| !matches!(operation, Operation::Checkpoint));
    operations
}

/// A history of barriers and small commits only.
fn many_barriers() -> Vec<Operation> {
    let commit = |number: usize| {
        [Operation::Write(number % 4, value(number % 40)), Operation::CloseAndReopen]
    };
    (0..24).flat_map(commit).collect()
}

fn check_all(recording: &Recording, seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut rng = Rng::new(seed);
    let samples = 15 * effort() as usize;
    recording.each_image(&recording.old, &recording.changes, samples, &mut rng, |image, _| {
        recording.check(image, &mut tally);
    });
    println!("{} changes, {tally:?}", recording.changes.len());
    tally
}

#[test]
fn a_crash_among_commits_and_barriers() {
    let before = [Operation::Write(1, value(100)), Operation::Write(4, value(2000))];
    let tally = check_all(&Recording::new(&before, &history()), 1);
    assert!(tally.in_between > 10 && tally.cut > 20, "{tally:?}");
}

#[test]
fn a_crash_among_many_barriers_of_one_stretch() {
    let recording = Recording::new(&without_tables(history()), &many_barriers());
    let barriers = many_barriers().len() / 2;
    let log_len = recording.new.len() - recording.old.len();
    assert!(
        log_len < 8 * SECTOR_LEN,
        "{barriers} barriers in {log_len} bytes: all subsets are tried"
    );
    let tally = check_all(&recording, 2);
    assert!(tally.in_between > 50, "{tally:?}");
}

/// A backup completes what a crash left, and is interrupted, too.
#[test]
fn a_crash_while_an_interrupted_backup_is_completed() {
    let recording = Recording::new(&without_tables(history()), &many_barriers());
    let mut tally = Tally::default();
    let mut rng = Rng::new(3);
    let mut first = Vec::new();
    recording.each_image(&recording.old, &recording.changes, 1, &mut rng, |image, rng| {
        if rng.one_in(20 / effort().min(20) as usize) {
            first.push(image.to_vec());
        }
    });
    for image in first {
        let changes = recording.complete(&image);
        recording.each_image(&image, &changes, 1, &mut rng, |image, rng| {
            if rng.one_in(5) {
                recording.check(image, &mut tally);
            }
        });
    }
    println!("{tally:?}");
    assert!(tally.images > 50, "{tally:?}");
}

/// So much is new that it is copied in two stretches. Each of them moves the durable point up.
#[test]
fn a_crash_between_stretches() {
    let since = [
        Operation::Write(2, value(100)),
        Operation::CloseAndReopen,
        Operation::Write(3, value(33 << 20)),
        Operation::CloseAndReopen,
        Operation::Write(4, value(200)),
    ];
    let recording = Recording::new(&[Operation::Write(1, value(100))], &since);
    let mut rng = Rng::new(6);
    let mut disk = Disk::new(recording.old.clone());
    let mut durable_tails = BTreeSet::new();
    let path = recording.path("crashed.srd");
    for change in &recording.changes {
        disk.apply(change);
        let is_log = matches!(change, Change::Write { offset, .. } if *offset >= HEADER_LEN as u64);
        let is_published = matches!(change, Change::Write { offset: 12_288, .. });
        if disk.is_flushed() || is_published || is_log && !rng.one_in(10) {
            continue;
        }
        let loss = *rng.pick(&[Loss::AnySectors, Loss::SomeChanges, Loss::EarlierHalf]);
        let image = disk.after_power_loss(loss, &mut rng);
        fs::write(&path, &image).unwrap();
        let store = OpenOptions::new().read_only(true).verify_reads(true).open(&path).unwrap();
        let content = contents(&store).unwrap();
        assert!(recording.commits.iter().any(|model| model.content() == content));
        durable_tails.insert(store.recovery_report().durable_tail);
        drop(store);
        recording.complete(&image);
    }
    assert!(durable_tails.len() >= 3, "{durable_tails:?}: before, between, after");
}

/// An interrupted backup is opened for writing and written to. Power is lost then, also during
/// recovery.
#[test]
fn a_crash_while_an_interrupted_backup_is_written_to() {
    let recording = Recording::new(&without_tables(history()), &many_barriers());
    let mut rng = Rng::new(5);
    let models: Vec<&Model> = recording.commits.iter().collect();
    let operations = [
        Operation::Write(1, value(700)),
        Operation::BatchWrite(vec![(2, value(700)), (3, value(70)), (4, value(7))]),
        Operation::Sync,
        Operation::KillAndReopen,
        Operation::Delete(2),
        Operation::CloseAndReopen,
    ];
    let directory = tempfile::tempdir().unwrap();
    let (mut histories, mut images) = (0, 0);
    recording.each_image(&recording.old, &recording.changes, 1, &mut rng, |image, rng| {
        if !rng.one_in(10 / effort().min(10) as usize) {
            return;
        }
        let path = directory.path().join("written.srd");
        let state = check_image(directory.path(), image, 64, &models).unwrap().state;
        fs::write(&path, image).unwrap();
        let model = models[state].clone();
        let recorded = Recorded::run(&path, 64, model, &operations, None).unwrap();
        histories += 1;
        recorded.each_moment(models[state], Disk::new(image.to_vec()), |moment| {
            if moment.is_done && moment.shows {
                let image = moment.lose_power(rng);
                check_image(directory.path(), &image, 64, moment.after_loss).unwrap();
                images += 1;
            }
        });
    });
    println!("{histories} histories, {images} images");
    assert!(histories > 5 && images > 100, "{histories} histories, {images} images");
}
