//! The road between the vendor and us: it takes time, goes silent, and breaks at any byte.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use unbroken_core::ids::ConnId;
use unbroken_sim::Heard;

use crate::agenda::Micros;
use crate::frames::FrameReader;

/// What a road carries to us.
#[derive(Debug)]
pub(crate) enum Carried {
    /// The handshake was accepted; the errand that asked for it.
    Opened(u64),
    Bytes(Bytes),
    /// The connection is over; whether by a reset.
    End(bool),
}

/// What a road carries to the vendor.
#[derive(Debug)]
pub(crate) enum Uttered {
    Heard(Heard),
    /// The connection is gone.
    Gone,
}

/// One connection of a stream.
#[derive(Debug)]
pub(crate) struct Road {
    /// The vendor's number of it; `None` once the vendor has done with it.
    pub(crate) stream: Option<u64>,
    /// Ours; `None` once we have done with it.
    pub(crate) conn: Option<ConnId>,
    /// The socket is open on our side.
    pub(crate) is_open: bool,
    /// Nothing that is sent arrives.
    pub(crate) is_dark: bool,
    pub(crate) down: VecDeque<(Micros, Carried)>,
    pub(crate) up: VecDeque<(Micros, Uttered)>,
    down_free_us: Micros,
    up_free_us: Micros,
    pub(crate) reader: FrameReader,
    /// It has ended, behind what the reader holds; whether by a reset.
    pub(crate) ended: Option<bool>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) rng: fastrand::Rng,
    latency_us: Micros,
    pub(crate) roads: BTreeMap<u64, Road>,
    road_last: u64,
    /// Until then: pieces take long and overtake one another on other roads …
    pub(crate) slow_until_us: Micros,
    /// … nothing arrives, but is kept …
    pub(crate) stalled_until_us: Micros,
    /// … new connections are refused …
    pub(crate) refuses_until_us: Micros,
    /// … and new connections get no answer.
    pub(crate) down_until_us: Micros,
}

impl Network {
    pub(crate) fn new(seed: u64, latency_us: Micros) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed ^ 0x0e70),
            latency_us,
            roads: BTreeMap::new(),
            road_last: 0,
            slow_until_us: 0,
            stalled_until_us: 0,
            refuses_until_us: 0,
            down_until_us: 0,
        }
    }

    /// When a piece that is sent now arrives.
    pub(crate) fn arrival(&mut self, now_us: Micros) -> Micros {
        let mut way_us = self.latency_us + self.rng.u64(0..=self.latency_us);
        if now_us < self.slow_until_us {
            way_us = way_us.max(1_000) * self.rng.u64(1..40);
        }
        (now_us + way_us).max(self.stalled_until_us)
    }

    /// Whether everything is as it should be.
    pub(crate) fn is_well(&self, now_us: Micros) -> bool {
        let troubles =
            [self.slow_until_us, self.stalled_until_us, self.refuses_until_us, self.down_until_us];
        troubles.into_iter().all(|until_us| until_us <= now_us)
    }

    /// The vendor has accepted a handshake.
    pub(crate) fn lay(&mut self, stream: u64, conn: ConnId, frame_bytes_max: usize) -> u64 {
        self.road_last += 1;
        let road = Road {
            stream: Some(stream),
            conn: Some(conn),
            is_open: false,
            is_dark: false,
            down: VecDeque::new(),
            up: VecDeque::new(),
            down_free_us: 0,
            up_free_us: 0,
            reader: FrameReader::new(frame_bytes_max),
            ended: None,
        };
        self.roads.insert(self.road_last, road);
        self.road_last
    }

    /// The road of a socket of ours.
    pub(crate) fn road_of(&self, conn: ConnId) -> Option<u64> {
        let mut roads = self.roads.iter();
        roads.find(|(_, road)| road.conn == Some(conn)).map(|(id, _)| *id)
    }

    /// The road of a vendor's stream.
    pub(crate) fn road_to(&self, stream: u64) -> Option<u64> {
        let mut roads = self.roads.iter();
        roads.find(|(_, road)| road.stream == Some(stream)).map(|(id, _)| *id)
    }

    /// Sends something to us; returns when it arrives, if it does.
    pub(crate) fn send_down(&mut self, now_us: Micros, id: u64, what: Carried) -> Option<Micros> {
        let arrival_us = self.arrival(now_us);
        let road = self.roads.get_mut(&id).filter(|road| !road.is_dark)?;
        let at_us = arrival_us.max(road.down_free_us);
        road.down_free_us = at_us;
        road.down.push_back((at_us, what));
        Some(at_us)
    }

    /// Sends something to the vendor; returns when it arrives, if it does.
    pub(crate) fn send_up(&mut self, now_us: Micros, id: u64, what: Uttered) -> Option<Micros> {
        let arrival_us = self.arrival(now_us);
        let road = self.roads.get_mut(&id).filter(|road| !road.is_dark)?;
        let at_us = arrival_us.max(road.up_free_us);
        road.up_free_us = at_us;
        road.up.push_back((at_us, what));
        Some(at_us)
    }

    /// Cuts a road at a byte of what is under way; both ends hear of it. Returns when they do.
    pub(crate) fn cut(&mut self, now_us: Micros, id: u64, rng: &mut fastrand::Rng) -> Micros {
        let at_us = self.arrival(now_us);
        let Some(road) = self.roads.get_mut(&id) else { return at_us };
        let under_way: usize = road.down.iter().map(|(_, what)| what.len()).sum();
        let mut left = rng.usize(0..=under_way);
        let mut kept = VecDeque::new();
        while let Some((due_us, what)) = road.down.pop_front() {
            match what {
                Carried::Bytes(bytes) if left < bytes.len() => {
                    kept.push_back((due_us, Carried::Bytes(bytes.slice(..left))));
                    break;
                }
                Carried::End(_) => break,
                // A handshake whose answer is lost is none.
                Carried::Opened(_) if rng.bool() => break,
                what => {
                    left -= what.len();
                    kept.push_back((due_us, what));
                }
            }
        }
        let end_us = kept.back().map_or(at_us, |(due_us, _)| at_us.max(*due_us));
        kept.push_back((end_us, Carried::End(true)));
        road.down = kept;
        road.up.truncate(rng.usize(0..=road.up.len()));
        road.up.push_back((end_us, Uttered::Gone));
        road.is_dark = true;
        end_us
    }

    /// Forgets roads that neither end uses any more.
    pub(crate) fn sweep(&mut self) {
        self.roads.retain(|_, road| road.conn.is_some() || road.stream.is_some());
    }
}

impl Carried {
    fn len(&self) -> usize {
        if let Self::Bytes(bytes) = self { bytes.len() } else { 0 }
    }
}
