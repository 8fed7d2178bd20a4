//! What each fault of ours does.

use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::Input;
use unbroken_journal::JournalError;

use crate::agenda::Micros;
use crate::log::Commit;
use crate::setting::STREAM;
use crate::simulation::{Event, Simulation};
use crate::trouble::{Ours, Trouble};

/// How long the vendor holds on to a connection that leads nowhere.
const VENDOR_HOLDS_US: Micros = 2_000_000;
/// How long somebody takes to start what has died, and to make room on a full disk.
const STARTS_US: std::ops::Range<Micros> = 50_000..800_000;
const ROOM_US: std::ops::Range<Micros> = 1_500_000..4_000_000;
/// Operations of the disk within which the power goes, or a write or sync fails.
const OPERATIONS: std::ops::Range<u64> = 0..12;
const MINUTE_US: i64 = 60_000_000;

impl Simulation {
    /// A fault of the plan strikes.
    pub(crate) fn strike(&mut self, step: usize, nth: usize) {
        let blow = self.plan.steps.get(step).and_then(|step| step.blows.get(nth)).copied();
        let Some(blow) = blow else { return };
        let Trouble::Ours(ours) = blow.trouble else { return };
        let rng = &mut fastrand::Rng::with_seed(u64::from(blow.dice));
        let now_us = self.agenda.now_us();
        let now = self.now();
        self.witness.say(now, || format!("!!! {} at {now_us}", ours.name()));
        let hit = match ours {
            Ours::NetworkReset
            | Ours::NetworkDark
            | Ours::NetworkStall
            | Ours::NetworkRefuses
            | Ours::NetworkDown
            | Ours::NetworkSlow => self.strike_network(ours, rng),
            Ours::WriteError | Ours::SyncError | Ours::DiskFull => {
                self.arm_fault(ours, rng);
                return self.director.arm(ours);
            }
            Ours::Kill => self.kill(rng),
            Ours::PowerCut => self.cut_power(rng),
            Ours::Restart => {
                self.director.restarts_after_us = Some(rng.u64(STARTS_US));
                let runs = self.process.is_some() && self.asleep.is_none();
                self.tell_or_miss(Input::Shutdown);
                runs
            }
            Ours::SyncLies => {
                self.archive.disk.lie_on_sync(0);
                true
            }
            Ours::DiskSlow => {
                self.disk_slow_until_us = now_us + rng.u64(300_000..2_500_000);
                true
            }
            Ours::ClockForward => {
                self.clocks.step(now_us, rng.i64(10_000..120 * MINUTE_US));
                true
            }
            Ours::ClockBack => {
                self.clocks.step(now_us, -rng.i64(10_000..120 * MINUTE_US));
                true
            }
            Ours::Suspend => self.sleep(rng, true),
            Ours::Stopped => self.sleep(rng, false),
            Ours::Pause => self.pause(rng),
            Ours::Resync => {
                let keys = self.some_keys(rng);
                self.tell_or_miss(Input::Resync { stream: STREAM.into(), keys });
                self.process.is_some()
            }
        };
        self.director.count(ours, hit);
    }

    fn strike_network(&mut self, ours: Ours, rng: &mut fastrand::Rng) -> bool {
        let now_us = self.agenda.now_us();
        match ours {
            Ours::NetworkDark => self.darken(),
            Ours::NetworkStall => {
                self.network.stalled_until_us = now_us + rng.u64(50_000..1_500_000);
                !self.network.roads.is_empty()
            }
            Ours::NetworkRefuses => {
                self.network.refuses_until_us = now_us + rng.u64(100_000..1_500_000);
                self.reset_roads(rng)
            }
            Ours::NetworkDown => {
                self.network.down_until_us = now_us + rng.u64(100_000..2_500_000);
                self.darken()
            }
            Ours::NetworkSlow => {
                self.network.slow_until_us = now_us + rng.u64(500_000..2_000_000);
                true
            }
            _ => self.reset_roads(rng),
        }
    }

    /// The disk will fail at some operation to come.
    fn arm_fault(&mut self, ours: Ours, rng: &mut fastrand::Rng) {
        match ours {
            Ours::WriteError => self.archive.disk.fail_write(rng.u64(OPERATIONS)),
            Ours::SyncError => self.archive.disk.fail_sync(rng.u64(0..4)),
            _ => {
                let bytes = self.archive.disk.used_bytes() + rng.u64(0..2_000);
                self.disk_full_bytes = Some(bytes);
                self.archive.disk.limit_bytes(Some(bytes));
                self.agenda.after(rng.u64(ROOM_US), Event::Room);
            }
        }
    }

    fn tell_or_miss(&mut self, input: Input) {
        self.agenda.after(0, Event::Person(Box::new(input)));
    }

    fn reset_roads(&mut self, rng: &mut fastrand::Rng) -> bool {
        let now_us = self.agenda.now_us();
        let mut hits = self.fail_errands(rng);
        for id in self.network.roads.keys().copied().collect::<Vec<_>>() {
            let at_us = self.network.cut(now_us, id, rng);
            self.agenda.at(at_us, Event::Down(id));
            self.agenda.at(at_us, Event::Up(id));
            hits += 1;
        }
        hits > 0
    }

    /// The roads there are lead nowhere from now on.
    fn darken(&mut self) -> bool {
        let mut hits = 0;
        for road in self.network.roads.values_mut() {
            road.is_dark = true;
            road.down.clear();
            road.up.clear();
            hits += 1;
            if let Some(stream) = road.stream {
                self.agenda.after(VENDOR_HOLDS_US, Event::Lost(stream));
            }
        }
        hits > 0
    }

    fn kill(&mut self, rng: &mut fastrand::Rng) -> bool {
        let now_us = self.agenda.now_us();
        let Some(mut process) = self.kill_process() else { return false };
        if process.log.commit == Commit::UnderWay {
            match rng.u8(0..3) {
                // It had not begun to write.
                0 => {}
                // It was through, and could not say so.
                1 => process.log.abandon(&mut self.archive, now_us),
                _ => {
                    self.archive.disk.cut_power_at(rng.u64(0..4));
                    process.log.abandon(&mut self.archive, now_us);
                }
            }
        }
        drop(process);
        self.archive.disk.kill();
        self.close_roads();
        self.agenda.after(rng.u64(STARTS_US), Event::Start);
        true
    }

    fn cut_power(&mut self, rng: &mut fastrand::Rng) -> bool {
        let now_us = self.agenda.now_us();
        let Some(mut process) = self.kill_process() else { return false };
        if process.log.commit == Commit::UnderWay {
            self.archive.disk.cut_power_at(rng.u64(0..4));
            process.log.abandon(&mut self.archive, now_us);
        }
        drop(process);
        self.archive.disk.power_cut(rng.u64(..));
        self.darken();
        for road in self.network.roads.values_mut() {
            road.conn = None;
        }
        // One start in four is cut short in its turn.
        if rng.u8(0..4) == 0 {
            self.power_fails = Some(rng.u64(..));
        }
        self.agenda.after(rng.u64(STARTS_US), Event::Start);
        true
    }

    fn sleep(&mut self, rng: &mut fastrand::Rng, stands: bool) -> bool {
        if self.asleep.is_some() || self.process.is_none() {
            return false;
        }
        self.asleep = Some((self.agenda.now_us(), stands));
        self.agenda.after(rng.u64(50_000..6_000_000), Event::Awake);
        true
    }

    fn pause(&mut self, rng: &mut fastrand::Rng) -> bool {
        let (stream, by) = (self.stream.clone(), Label::from("somebody"));
        self.tell_or_miss(Input::Pause { stream: stream.clone(), by: by.clone(), why: "".into() });
        let resume = Input::Resume { stream, by, why: "".into() };
        self.agenda.after(rng.u64(50_000..2_000_000), Event::Person(Box::new(resume)));
        self.process.is_some()
    }

    /// Some keys in half of the cases.
    fn some_keys(&self, rng: &mut fastrand::Rng) -> Option<Vec<Key>> {
        let seen = self.process.as_ref()?.driver.machine.seen(&self.stream)?;
        let keys: Vec<Key> = seen.keys.keys().filter(|_| rng.u8(0..3) == 0).cloned().collect();
        Some(keys).filter(|keys| !keys.is_empty() && rng.bool())
    }

    /// What is wrong with the disk stays so when a process begins.
    pub(crate) fn arm_disk(&mut self) {
        self.archive.disk.limit_bytes(self.disk_full_bytes);
        if let Some(seed) = self.power_fails {
            self.archive.disk.cut_power_at(seed % 24);
        }
    }

    pub(crate) fn make_room(&mut self) {
        self.disk_full_bytes = None;
        self.director.armed.remove(&Ours::DiskFull);
        self.archive.disk.limit_bytes(None);
    }

    /// Whether the plan has broken the disk.
    pub(crate) fn is_disk_to_blame(&self) -> bool {
        let broken = [Ours::WriteError, Ours::SyncError];
        let struck = |ours: &Ours| self.director.struck.contains_key(&Trouble::Ours(*ours));
        self.disk_full_bytes.is_some() || self.power_fails.is_some() || broken.iter().any(struck)
    }

    /// The log could not be written: the process is gone, and is started again.
    pub(crate) fn fail_disk(&mut self) {
        let is_unsure = self.director.armed.contains(&Ours::SyncError);
        self.director.met();
        match self.power_fails.take() {
            Some(seed) => self.archive.disk.power_cut(seed),
            // What a failed sync has left behind nobody knows before the machine was started again.
            None if is_unsure => self.archive.disk.power_cut(self.dice.u64(..)),
            None => self.archive.disk.kill(),
        }
        self.close_roads();
        let after_us = self.dice.u64(STARTS_US);
        self.agenda.after(after_us, Event::Start);
    }

    /// The log could not be opened: right if the disk is broken, and then it is tried again.
    pub(crate) fn not_opened(&mut self, error: &JournalError) {
        let is_the_disks = !matches!(error, JournalError::Corrupt { .. });
        if is_the_disks && self.is_disk_to_blame() {
            return self.fail_disk();
        }
        self.witness.blame("OpenAgain", error.to_string());
    }
}
