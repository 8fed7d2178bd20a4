//! The play: faults are injected, recoveries are told, until each has been told and time is over.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use unbroken::pipeline::Handle;
use unbroken::render::{count, wall_now};
use unbroken_core::time::UnixMicros;
use unbroken_sim::{FaultNews, News, Vendor};

use super::director::{Act, Cue, Director, Scene};
use super::story::Story;
use super::watch::Seen;
use crate::cli::error::CliError;
use crate::cli::screen::Screen;

/// Between two looks at everything.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Between two changes of the line that moves: as fast as a person can read figures.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Two channels bring news; what is older than this has come on both, and is told in order of time.
const SORTING: Duration = Duration::from_millis(40);

/// The streams must have been live for so long before the next fault strikes: what follows shall be
/// that fault's doing.
const SETTLED: Duration = Duration::from_millis(250);

/// What is known of the play while it goes on.
pub(super) struct Play<'a> {
    pub(super) vendor: &'a Vendor,
    pub(super) handle: &'a Handle,
    pub(super) screen: &'a mut Screen,
    pub(super) story: &'a mut Story,
    pub(super) seen: &'a mut mpsc::UnboundedReceiver<(UnixMicros, Seen)>,
    pub(super) news: &'a mut News,
    pending: Vec<(UnixMicros, Told)>,
    shown: Instant,
}

/// Something to be told, from either side.
enum Told {
    News(FaultNews),
    Seen(Seen),
}

impl<'a> Play<'a> {
    pub(super) fn new(
        vendor: &'a Vendor,
        handle: &'a Handle,
        screen: &'a mut Screen,
        story: &'a mut Story,
        seen: &'a mut mpsc::UnboundedReceiver<(UnixMicros, Seen)>,
        news: &'a mut News,
    ) -> Self {
        let (pending, shown) = (Vec::new(), Instant::now());
        Self { vendor, handle, screen, story, seen, news, pending, shown }
    }

    /// Waits, telling what happens meanwhile, until `done` or the time is up. True: done.
    pub(super) async fn wait(&mut self, max: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + max;
        loop {
            self.look().await;
            if done(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// Injects faults as the director wants them. True: it was cut short by `interrupted`.
    pub(super) async fn act(
        &mut self,
        mut director: Director,
        interrupted: impl Future<Output = ()>,
    ) -> Result<bool, CliError> {
        tokio::pin!(interrupted);
        let began = Instant::now();
        let mut next_after = Instant::now();
        loop {
            tokio::select! {
                () = &mut interrupted => return Ok(true),
                () = self.look() => {}
            }
            let outstanding = self.outstanding();
            let scene = Scene {
                elapsed: began.elapsed(),
                open: self.story.open(wall_now()),
                settled: self.is_settled() && Instant::now() >= next_after,
                outstanding: &outstanding,
            };
            match director.cue(&scene) {
                Cue::Over => return Ok(false),
                Cue::Hold => {}
                Cue::Inject(act) => {
                    let ids = self.vendor.inject_together(&act)?;
                    self.story.expected(&act, &ids);
                    next_after = Instant::now() + director.pause();
                }
            }
        }
    }

    /// Whether every stream is live, and has been for a moment.
    pub(super) fn is_settled(&self) -> bool {
        let settled = i64::try_from(SETTLED.as_micros()).unwrap_or(i64::MAX);
        self.story.live_since().is_some_and(|since| wall_now().0 - since.0 >= settled)
    }

    fn outstanding(&self) -> Vec<Act> {
        let figures = self.story.pairs.as_ref().unwrap_or(&self.story.tally);
        let names = figures.outstanding();
        let act = |name: &String| name.split('+').map(|fault| fault.parse().ok()).collect();
        names.iter().filter_map(act).collect()
    }

    async fn look(&mut self) {
        tokio::time::sleep(LOOK_EVERY).await;
        while let Some(news) = self.news.poll_now() {
            self.pending.push((UnixMicros(news.at_us), Told::News(news)));
        }
        while let Ok((at, seen)) = self.seen.try_recv() {
            self.pending.push((at, Told::Seen(seen)));
        }
        self.tell_until(wall_now().0 - i64::try_from(SORTING.as_micros()).unwrap_or(0));
        for line in self.story.take_lines() {
            let at = format!("{:>7.1} s", line.at_ms as f64 / 1_000.0);
            let fault = self.screen.paint().bold(&format!("{:<24}", line.fault));
            self.screen.line(&format!("{at}  {fault} {}", line.text));
        }
        if self.shown.elapsed() >= SHOW_EVERY {
            self.shown = Instant::now();
            self.show_status();
        }
    }

    fn tell_until(&mut self, until: i64) {
        self.pending.sort_by_key(|(at, _)| *at);
        let due = self.pending.partition_point(|(at, _)| at.0 <= until);
        for (at, told) in self.pending.drain(..due) {
            match told {
                Told::News(news) => self.story.news(&news),
                Told::Seen(Seen::Reported(report)) => self.story.reported(at, &report),
                Told::Seen(Seen::Stored(emitted_at)) => self.story.stored(emitted_at),
            }
        }
    }

    fn show_status(&mut self) {
        let paint = self.screen.paint();
        let status = self.handle.status();
        let streams = status.sources.iter().flat_map(|source| &source.streams);
        let (events, live) = (streams.map(|stream| stream.events).sum(), status.is_live());
        let light = if live { paint.good("● live  ") } else { paint.warn("○ doubt ") };
        let (_, fired, recovered) = self.story.tally.totals();
        let text = format!(
            "{:>7.1} s  {light} {} made, {} stored, {fired} faults, {recovered} recovered",
            self.story.elapsed(wall_now()).as_secs_f64(),
            count(self.vendor.events_emitted()),
            count(events),
        );
        self.screen.status(&text);
    }
}
