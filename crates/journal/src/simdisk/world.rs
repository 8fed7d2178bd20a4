//! The disk itself: directory, locks, faults.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskFile, LockGuard, Locking};
use crate::simdisk::Dice;
use crate::simdisk::file::SimContents;

/// See the module. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<World>>);

type Inode = u64;

#[derive(Clone, Debug, Default)]
struct World {
    files: BTreeMap<Inode, SimContents>,
    next_inode: Inode,
    names: BTreeMap<PathBuf, Inode>,
    durable_names: BTreeMap<PathBuf, Inode>,
    unsynced: Vec<Naming>,
    lock: Option<PathBuf>,
    /// Handles of an earlier process are dead.
    process: u64,
    faults: Faults,
    counts: Counts,
}

#[derive(Clone, Debug)]
enum Naming {
    Name(PathBuf, Inode),
    Rename(PathBuf, PathBuf, Inode),
    Remove(PathBuf),
}

/// Counted down; `None`: never.
#[derive(Clone, Debug, Default)]
struct Faults {
    write: Option<u64>,
    sync: Option<u64>,
    lying_sync: Option<u64>,
    power: Option<u64>,
    is_off: bool,
    create: Option<&'static str>,
    capacity: Option<u64>,
    /// Any operation that changes something, and what is said of it.
    operation: (Option<u64>, Option<io::ErrorKind>),
    read: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    operations: u64,
    reads: u64,
    writes: u64,
    syncs: u64,
}

/// Counts down to the fault; true when it strikes.
fn strikes(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl SimDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same contents, and no process on it.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut world = self.held().clone();
        world.end_process();
        Self(Arc::new(Mutex::new(world)))
    }

    /// The n-th write from now on (0: the next) writes a part and fails.
    pub fn fail_write(&self, n: u64) {
        self.held().faults.write = Some(n);
    }

    /// No file with this in its name can be made.
    pub fn fail_create(&self, part: &'static str) {
        self.held().faults.create = Some(part);
    }

    /// The n-th sync of a file from now on fails, and what it should have written is forgotten.
    pub fn fail_sync(&self, n: u64) {
        self.held().faults.sync = Some(n);
    }

    /// The n-th sync of a file from now on reports success and does nothing.
    pub fn lie_on_sync(&self, n: u64) {
        self.held().faults.lying_sync = Some(n);
    }

    /// The power goes during the n-th operation from now on. Everything fails until
    /// [`power_cut`](Self::power_cut).
    pub fn cut_power_at(&self, n: u64) {
        self.held().faults.power = Some(n);
    }

    /// The n-th operation from now on (0: the next) that changes something fails, and this is said
    /// of it. A write then writes a part; of a sync, what it should have written is forgotten;
    /// anything else does nothing.
    pub fn fail_operation(&self, n: u64, kind: io::ErrorKind) {
        self.held().faults.operation = (Some(n), Some(kind));
    }

    /// The n-th look from now on at a file, its length or a directory fails.
    pub fn fail_read(&self, n: u64) {
        self.held().faults.read = Some(n);
    }

    /// No more than so many bytes of files. `None`: no limit.
    pub fn limit_bytes(&self, capacity: Option<u64>) {
        self.held().faults.capacity = capacity;
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> u64 {
        self.held().used()
    }

    /// The machine stops and starts again; any subset of what was not synced survives.
    pub fn power_cut(&self, seed: u64) {
        let mut dice = Dice::new(seed);
        let mut world = self.held();
        let keep_percent = *[0, 10, 50, 90, 100].get(dice.below(5) as usize).unwrap_or(&50);
        let unsynced = std::mem::take(&mut world.unsynced);
        let mut names = std::mem::take(&mut world.durable_names);
        for naming in unsynced {
            if dice.chance(keep_percent) {
                naming.apply(&mut names);
            }
        }
        world.durable_names.clone_from(&names);
        world.files.retain(|inode, _| names.values().any(|named| named == inode));
        world.names = names;
        for file in world.files.values_mut() {
            file.power_cut(&mut dice, keep_percent);
        }
        world.end_process();
    }

    /// The process ends; what the system holds for it is written in time.
    pub fn kill(&self) {
        self.held().end_process();
    }

    /// Operations so far: reads are not counted.
    pub fn operations(&self) -> u64 {
        self.held().counts.operations
    }

    /// Looks so far at a file, its length or a directory.
    pub fn reads(&self) -> u64 {
        self.held().counts.reads
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.held().counts.writes
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.held().counts.syncs
    }

    /// The names of the files in a directory, sorted.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        self.held().list(dir)
    }

    /// A file's bytes.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.held();
        let inode = world.names.get(path)?;
        world.files.get(inode).map(|file| file.seen.clone())
    }

    /// Puts bytes in a file's place, durable: what damage does.
    pub fn replace(&self, path: &Path, bytes: Vec<u8>) {
        let mut world = self.held();
        let inode = world.next_inode;
        world.next_inode += 1;
        world.files.insert(inode, SimContents::of(bytes));
        world.names.insert(path.to_path_buf(), inode);
        world.durable_names.insert(path.to_path_buf(), inode);
    }

    /// Deletes a file, durably: what damage does.
    pub fn delete(&self, path: &Path) {
        let mut world = self.held();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    fn held(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look that changes nothing.
    fn look(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.held();
        world.powered()?;
        world.counts.reads += 1;
        if strikes(&mut world.faults.read) {
            return Err(io::Error::other("read error"));
        }
        Ok(world)
    }

    /// An operation that does nothing if it fails.
    fn change<T>(&self, operation: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        self.operate(|world, failure| failure.map_or_else(|| operation(world), Err))
    }

    /// One operation that changes something; it is told if it has to fail. The power may go after
    /// it was begun.
    fn operate<T>(
        &self,
        operation: impl FnOnce(&mut World, Option<io::Error>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.held();
        world.powered()?;
        world.counts.operations += 1;
        let (countdown, kind) = &mut world.faults.operation;
        let failure = strikes(countdown).then(|| kind.unwrap_or(io::ErrorKind::Other).into());
        if strikes(&mut world.faults.power) {
            world.faults.is_off = true;
            // Begun, never answered. A sync that is cut is none: `operation` is told.
            let _ = operation(&mut world, failure);
            return Err(power_is_off());
        }
        operation(&mut world, failure)
    }

    fn open_inode(&self, world: &World, inode: Inode) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), inode, process: world.process })
    }
}

impl World {
    fn powered(&self) -> io::Result<()> {
        if self.faults.is_off { Err(power_is_off()) } else { Ok(()) }
    }

    fn end_process(&mut self) {
        self.faults = Faults::default();
        self.lock = None;
        self.process += 1;
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let in_dir = self.names.keys().filter(|path| path.parent() == Some(dir));
        in_dir.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    fn naming(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.unsynced.push(naming);
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.files.get(inode))
            .map(|file| file.seen.len() as u64)
            .sum()
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Inode>) {
        match self {
            Self::Name(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                // Renaming names the file anew even if its first name was lost.
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.held().powered()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.change(|world| {
            if world.faults.create.is_some_and(|part| path.to_string_lossy().contains(part)) {
                return Err(io::Error::other("simulated failure"));
            }
            let inode = world.next_inode;
            world.next_inode += 1;
            world.files.insert(inode, SimContents::default());
            world.naming(Naming::Name(path.to_path_buf(), inode));
            Ok(self.open_inode(world, inode))
        })
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<Box<dyn DiskFile>> {
        let world = self.look()?;
        let inode = *world.names.get(path).ok_or_else(not_found)?;
        Ok(self.open_inode(&world, inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|world| {
            let inode = *world.names.get(from).ok_or_else(not_found)?;
            world.naming(Naming::Rename(from.to_path_buf(), to.to_path_buf(), inode));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|world| {
            world.names.get(path).ok_or_else(not_found)?;
            world.naming(Naming::Remove(path.to_path_buf()));
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Ok(self.look()?.list(dir))
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.change(|world| {
            world.powered()?;
            world.unsynced.clear();
            world.durable_names = world.names.clone();
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Locking> {
        let mut world = self.held();
        world.powered()?;
        if world.lock.is_some() {
            return Ok(Locking::Busy(u32::try_from(world.process).ok()));
        }
        world.lock = Some(path.to_path_buf());
        Ok(Locking::Held(Box::new(SimLock { disk: self.clone(), process: world.process })))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    process: u64,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut world = self.disk.held();
        if world.process == self.process {
            world.lock = None;
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: Inode,
    process: u64,
}

impl SimFile {
    fn contents<'w>(&self, world: &'w mut World) -> io::Result<&'w mut SimContents> {
        if world.process != self.process {
            return Err(io::Error::other("the process that opened this has ended"));
        }
        world.files.get_mut(&self.inode).ok_or_else(not_found)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.disk.look()?;
        let seen = &self.contents(&mut world)?.seen;
        let rest = seen.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.operate(|world, failure| {
            world.counts.writes += 1;
            let error = || io::Error::other("write error");
            let failure = failure.or(strikes(&mut world.faults.write).then(error));
            let len = self.contents(world)?.seen.len() as u64;
            let growth = (position + bytes.len() as u64).saturating_sub(len);
            let beyond = |capacity: u64| (world.used() + growth).saturating_sub(capacity);
            let missing = world.faults.capacity.map_or(0, beyond).min(growth);
            let mut part = bytes.len() - missing as usize;
            if failure.is_some() {
                part /= 2;
            }
            let file = self.contents(world)?;
            file.write(position as usize, bytes.get(..part).unwrap_or_default());
            if let Some(failure) = failure {
                return Err(failure);
            }
            if missing > 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.operate(|world, failure| {
            world.powered()?;
            world.counts.syncs += 1;
            let error = || io::Error::other("sync error");
            let failure = failure.or(strikes(&mut world.faults.sync).then(error));
            let lies = strikes(&mut world.faults.lying_sync);
            let file = self.contents(world)?;
            if let Some(failure) = failure {
                file.fail_sync();
                return Err(failure);
            }
            if !lies {
                file.sync();
            }
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        let mut world = self.disk.look()?;
        Ok(self.contents(&mut world)?.seen.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(|world| {
            self.contents(world)?.set_len(len as usize);
            Ok(())
        })
    }
}
