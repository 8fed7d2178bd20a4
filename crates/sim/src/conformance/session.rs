//! One scenario, played.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::canonical::canonical_truth;
use super::client::{Call, Client, Heard, stderr_end};
use super::report::{Life, LifeEnd, Report};
use super::score::{Played, failures, score};
use super::testimony::Testimony;
use super::{ConformanceError, Kind, Scenario, Step};
use crate::verdict::judge_closely;
use crate::{Fault, News, Stage, Vendor};

/// Between two looks at everything.
const LOOK_MS: u64 = 10;
/// How long a client may take from its start to its first event, in milliseconds: on a busy machine
/// of two cores, runtimes alone take ten seconds to start.
const START_MS_MAX: u64 = 30_000;
/// It has run so well for so long before the first fault, in milliseconds.
const LEAD_MS: u64 = 400;
/// How long all steps of a scenario may take, a client's starts left out, in milliseconds.
const STEPS_MS_MAX: u64 = 4_200;
/// How long a client may take to tell events again when all faults are over, in milliseconds: those
/// that wait two seconds before they connect again must be seen to be back …
const RECOVER_MS_MAX: u64 = 3_000;
/// … which it does when it has told so many, and some in each of its feeds.
const RECOVERED_EVENTS: u64 = 5;
/// How long it may take to have told everything when no event is made any more, in milliseconds.
const QUIET_MS_MAX: u64 = 3_400;
/// Both together, in milliseconds.
const END_MS_MAX: u64 = 5_400;
/// When it has said nothing for so long, it is looked at what it has told, in milliseconds.
const SILENCE_MS: u64 = 300;
/// More events than so many are never due and not made, on a machine that keeps up.
const BEHIND_MAX: u64 = 50;

/// What is to be played.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Against which vendor.
    pub kind: Kind,
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The client, and its arguments.
    pub command: &'a [OsString],
    /// Decides all that is not real time.
    pub seed: u64,
    /// An empty folder for what the client keeps and says.
    pub dir: &'a Path,
}

/// Plays a scenario with a client, and says what the client is worth in it.
///
/// # Errors
/// The client cannot be started, or the vendor not be played. What a client does wrong is no error.
pub async fn play(order: &Order<'_>) -> Result<Report, ConformanceError> {
    let mut scene = Scene::open(order).await?;
    scene.start_client()?;
    if scene.listen(START_MS_MAX, |scene| scene.testimony.event_count > 0).await {
        scene.listen(LEAD_MS + fastrand::Rng::with_seed(order.seed).u64(0..200), |_| false).await;
        scene.take_steps().await?;
    }
    scene.vendor.stop_faults();
    let end = Instant::now() + Duration::from_millis(END_MS_MAX);
    if scene.testimony.event_count > 0 {
        scene.recover(RECOVER_MS_MAX).await;
    }
    let behind = scene.vendor.events_behind();
    if behind > BEHIND_MAX {
        return Err(ConformanceError::TooSlow(behind));
    }
    scene.vendor.stop_emission();
    scene.fall_silent(end).await;
    scene.close().await
}

/// A fault of the scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultSeen {
    pub(super) id: u64,
    pub(super) fault: Fault,
    pub(super) began_us: i64,
    pub(super) fired_us: Option<i64>,
    pub(super) ended_us: Option<i64>,
}

struct Scene<'a> {
    order: &'a Order<'a>,
    call: Call,
    vendor: Vendor,
    news: News,
    sender: mpsc::UnboundedSender<(i64, Heard)>,
    lines: mpsc::UnboundedReceiver<(i64, Heard)>,
    client: Option<Client>,
    testimony: Testimony,
    /// Faults that were asked for so far.
    asked: Vec<u64>,
    faults: Vec<FaultSeen>,
    lives: Vec<Life>,
    began_us: i64,
    /// The client has gone by itself.
    is_over: bool,
}

impl<'a> Scene<'a> {
    async fn open(order: &'a Order<'a>) -> Result<Self, ConformanceError> {
        let client_dir = order.dir.join("client");
        let made = std::fs::create_dir_all(&client_dir);
        made.map_err(|source| ConformanceError::Folder { source })?;
        let vendor = Vendor::start(order.kind.dialect(order.seed)).await?;
        let call = Call {
            command: order.command.to_vec(),
            environment: order.kind.environment(&vendor, order.scenario, &client_dir),
            stderr: order.dir.join("stderr.log"),
        };
        let (sender, lines) = mpsc::unbounded_channel();
        Ok(Self {
            order,
            call,
            news: vendor.told(),
            vendor,
            sender,
            lines,
            client: None,
            testimony: Testimony::new(order.kind),
            asked: Vec::new(),
            faults: Vec::new(),
            lives: Vec::new(),
            began_us: now_us(),
            is_over: false,
        })
    }

    fn start_client(&mut self) -> Result<(), ConformanceError> {
        let cursor = self.testimony.cursor.clone().filter(|_| !self.lives.is_empty());
        let client = Client::start(&self.call, cursor.as_deref(), self.sender.clone(), now_us)?;
        self.client = Some(client);
        let from_ms = self.since_ms(now_us());
        self.lives.push(Life { from_ms, to_ms: from_ms, end: LifeEnd::Stopped, code: None });
        Ok(())
    }

    /// Takes in what is said and done until `done`, for so long at most. True: done. A client that
    /// goes by itself ends it.
    async fn listen(&mut self, for_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_millis(for_ms);
        loop {
            self.take_news();
            if done(self) {
                return true;
            }
            if self.is_over || Instant::now() >= deadline {
                return false;
            }
            let gone = async {
                match &mut self.client {
                    Some(client) => client.exited().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((at_us, heard)) = self.lines.recv() => self.hear(at_us, heard),
                status = gone => {
                    self.is_over = true;
                    let code = status.and_then(|status| status.code());
                    self.bury(LifeEnd::Exited, code).await;
                }
                () = sleep(Duration::from_millis(LOOK_MS)) => {}
            }
            while let Ok((at_us, heard)) = self.lines.try_recv() {
                self.hear(at_us, heard);
            }
        }
    }

    fn hear(&mut self, at_us: i64, heard: Heard) {
        match heard {
            Heard::Line(text) if text.trim().is_empty() => {}
            Heard::Line(text) => self.testimony.add(at_us, &text),
            Heard::Unreadable => {
                self.testimony.add_strange(at_us, "no text, or too long a line".to_owned());
            }
        }
    }

    fn take_news(&mut self) {
        while let Some(news) = self.news.poll_now() {
            let seen = self.faults.iter_mut().find(|seen| seen.id == news.id);
            match (news.stage, seen) {
                (Stage::Injected, _) => self.faults.push(FaultSeen {
                    id: news.id,
                    fault: news.fault,
                    began_us: news.at_us,
                    fired_us: None,
                    ended_us: None,
                }),
                (Stage::Fired, Some(seen)) => seen.fired_us = Some(news.at_us),
                (Stage::Ended | Stage::Missed, Some(seen)) => seen.ended_us = Some(news.at_us),
                (Stage::Fired | Stage::Ended | Stage::Missed, None) => {}
            }
        }
    }

    /// The process is gone, or is ended now: what it wrote before is read to the end.
    async fn bury(&mut self, end: LifeEnd, code: Option<i32>) {
        let Some(mut client) = self.client.take() else { return };
        let at_us = now_us();
        match end {
            LifeEnd::Stopped => client.stop().await,
            LifeEnd::Killed | LifeEnd::Exited => client.kill().await,
        }
        while let Ok((at_us, heard)) = self.lines.try_recv() {
            if end != LifeEnd::Stopped {
                self.hear(at_us, heard);
            }
        }
        self.testimony.died(at_us);
        let to_ms = self.since_ms(at_us);
        if let Some(life) = self.lives.last_mut() {
            *life = Life { to_ms, end, code, ..*life };
        }
    }

    async fn take_steps(&mut self) -> Result<(), ConformanceError> {
        let mut deadline = Instant::now() + Duration::from_millis(STEPS_MS_MAX);
        let left_ms = |deadline: Instant| -> u64 {
            let left = deadline.saturating_duration_since(Instant::now());
            u64::try_from(left.as_millis()).unwrap_or(0)
        };
        for step in self.order.scenario.steps {
            if self.is_over {
                return Ok(());
            }
            match *step {
                Step::Break(faults) => {
                    let ids = self.vendor.inject_together(faults)?;
                    self.asked.extend(&ids);
                    let is_seen = |seen: &FaultSeen| {
                        ids.first() == Some(&seen.id)
                            && (seen.fired_us.is_some() || seen.ended_us.is_some())
                    };
                    let has_fired = |scene: &Self| scene.faults.iter().any(is_seen);
                    self.listen(left_ms(deadline), has_fired).await;
                }
                Step::Wait(ms) => {
                    self.listen(ms.min(left_ms(deadline)), |_| false).await;
                }
                Step::Recover => {
                    self.listen(left_ms(deadline), Self::is_calm).await;
                    self.recover(left_ms(deadline)).await;
                }
                Step::Kill(down_ms) => {
                    self.bury(LifeEnd::Killed, None).await;
                    self.listen(down_ms, |_| false).await;
                    let began = Instant::now();
                    self.start_client()?;
                    let told = self.testimony.event_count;
                    self.listen(START_MS_MAX, |scene| scene.testimony.event_count > told).await;
                    deadline += began.elapsed();
                }
            }
        }
        self.listen(left_ms(deadline), Self::is_calm).await;
        Ok(())
    }

    /// Every fault that was asked for is over.
    fn is_calm(&self) -> bool {
        let is_over =
            |id: &u64| self.faults.iter().any(|seen| seen.id == *id && seen.ended_us.is_some());
        self.asked.iter().all(is_over)
    }

    /// Waits until the client tells events again, each of its feeds.
    async fn recover(&mut self, for_ms: u64) {
        let told = self.testimony.told();
        let enough = |scene: &Self| scene.testimony.is_telling_since(&told, RECOVERED_EVENTS);
        if self.listen(for_ms, enough).await {
            self.listen(SILENCE_MS.min(for_ms), |_| false).await;
        }
    }

    /// Waits until the client has told all that it should, as far as that comes to pass.
    async fn fall_silent(&mut self, end: Instant) {
        if self.testimony.event_count == 0 {
            return;
        }
        let deadline = end.min(Instant::now() + Duration::from_millis(QUIET_MS_MAX));
        let mut looked_at = None;
        self.listen(SILENCE_MS, |_| false).await;
        while Instant::now() < deadline && !self.is_over {
            let last_us = self.testimony.last_line_us;
            let is_silent = last_us.is_none_or(|last_us| now_us() - last_us >= silence_us());
            if is_silent && looked_at != Some(last_us) {
                looked_at = Some(last_us);
                let truth = canonical_truth(self.vendor.truth());
                let evidence = self.testimony.evidence(now_us());
                let judged = judge_closely(&truth, &evidence);
                if failures(&judged.verdict, self.testimony.tells_state).is_empty() {
                    return;
                }
            }
            self.listen(LOOK_MS, |_| false).await;
        }
    }

    async fn close(mut self) -> Result<Report, ConformanceError> {
        self.take_news();
        let ended_us = now_us();
        let truth = canonical_truth(self.vendor.truth());
        let evidence = self.testimony.evidence(ended_us);
        let load = self.vendor.load();
        let agents = self.vendor.account().users;
        self.bury(LifeEnd::Stopped, None).await;
        self.vendor.shutdown().await?;
        Ok(score(Played {
            kind: self.order.kind,
            scenario: self.order.scenario,
            truth,
            evidence,
            testimony: self.testimony,
            agents,
            faults: self.faults,
            lives: self.lives,
            load,
            began_us: self.began_us,
            ended_us,
            stderr: stderr_end(&self.call.stderr),
        }))
    }

    fn since_ms(&self, at_us: i64) -> u64 {
        u64::try_from((at_us - self.began_us) / 1_000).unwrap_or(0)
    }
}

fn silence_us() -> i64 {
    i64::try_from(SILENCE_MS * 1_000).unwrap_or(i64::MAX)
}

/// The wall clock, microseconds since 1970.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(0)
}
