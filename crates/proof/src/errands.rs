//! Requests and handshakes under way: rendered and read by the real source, carried by the network
//! model, answered by the simulated vendor. Each takes a connection of its own.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use unbroken_connect::transport::{Answer, Method, Request};
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;
use unbroken_core::machine::Input;
use unbroken_sim::{Heard, Reply};

use crate::driver::{Act, Asked, Brought};
use crate::network::{Carried, Uttered};
use crate::simulation::{Event, Simulation};

/// The code of our own close frames.
const NORMAL: u16 = 1000;

/// One under way.
#[derive(Debug)]
pub(crate) struct Errand {
    asked: Asked,
    request: Request,
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Reached {
    Told {
        status: u16,
        retry_after_s: Option<u64>,
        body: String,
    },
    /// The network failed.
    Failed(&'static str),
}

impl Simulation {
    /// Does what the driver says.
    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Ask(asked) => self.ask(asked),
            Act::Failed(brought) => self.bring_soon(brought),
            Act::Say { conn, text } => {
                let Some(road) = self.network.road_of(conn) else { return };
                let heard = text.map_or_else(|| Heard::Ping(Vec::new()), Heard::Text);
                self.utter(road, Uttered::Heard(heard));
            }
            Act::Farewell { conn, texts } => {
                let Some(road) = self.network.road_of(conn) else { return };
                for text in texts {
                    self.utter(road, Uttered::Heard(Heard::Text(text)));
                }
                self.utter(road, Uttered::Heard(Heard::Close(NORMAL.to_be_bytes().to_vec())));
                self.part(road);
            }
            Act::Drop { conn } => {
                self.errands.retain(|_, errand| match errand.asked {
                    Asked::Open { conn: asked, .. } => asked != conn,
                    Asked::Token { .. } | Asked::Page { .. } => true,
                });
                if let Some(road) = self.network.road_of(conn) {
                    self.leave(road);
                    self.network.sweep();
                }
            }
            Act::Submit(append) => {
                if let Some(process) = &mut self.process {
                    process.log.submit(append);
                }
            }
            Act::Report(report) => self.hear_report(&report),
        }
    }

    /// A polite close: the vendor has said its last word by then, or is not waited for.
    fn part(&mut self, road: u64) {
        let now_us = self.agenda.now_us();
        let Some(stream) = self.network.roads.get_mut(&road).and_then(|road| {
            road.conn = None;
            road.stream
        }) else {
            return;
        };
        let limit_us = unbroken_connect::transport::CLOSE_LIMIT.as_micros();
        let limit_us = u64::try_from(limit_us).unwrap_or(u64::MAX);
        self.agenda.at(now_us + limit_us, Event::Lost(stream));
    }

    fn bring_soon(&mut self, brought: Brought) {
        let input = match brought {
            Brought::Input(input) => input,
            Brought::Socket(conn, Err(failure)) => Input::Refused { conn, failure },
            Brought::Socket(..) | Brought::Token { .. } => return,
        };
        self.agenda.after(0, Event::Person(Box::new(input)));
    }

    fn ask(&mut self, asked: Asked) {
        let request = match &asked {
            Asked::Token { .. } => at_once(self.source.token_request()),
            Asked::Page { what, keys, token, .. } => {
                self.source.request(what, keys.as_deref(), token.as_ref())
            }
            Asked::Open { after, token, .. } => {
                self.source.handshake(after.as_ref(), token.as_ref())
            }
        };
        self.errand_last += 1;
        let (id, now_us) = (self.errand_last, self.agenda.now_us());
        let request = match request {
            Ok(request) => request,
            Err(failure) => return self.bring_soon(failed(&asked, failure)),
        };
        let timing = self.source.machine_config(0).timing;
        let limit_ms = match &asked {
            Asked::Token { .. } => timing.token_ms,
            Asked::Page { .. } => timing.page_ms,
            Asked::Open { .. } => timing.connect_ms,
        };
        self.errands.insert(id, Errand { asked, request });
        self.agenda.after(limit_ms * 1_000, Event::Late(id));
        // The way there and back for the connection, then the way there for the request.
        let refused_us = self.network.arrival(now_us);
        if now_us < self.network.refuses_until_us {
            let refused = Box::new(Reached::Failed("connection refused"));
            self.agenda.at(refused_us, Event::Answered(id, refused));
        } else if now_us >= self.network.down_until_us {
            let there_us = self.network.arrival(refused_us);
            self.agenda.at(there_us, Event::Reaches(id));
        }
    }

    pub(crate) fn reach(&mut self, id: u64) {
        let Some(errand) = self.errands.get(&id) else { return };
        if !self.vendor.admit() {
            return self.answer(id, Reached::Failed("connection reset"));
        }
        let Errand { asked, request } = errand;
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), header.value.clone()))
            .collect();
        let method = match request.method {
            Method::Post => "POST",
            Method::Get | Method::Put | Method::Head | Method::Delete => "GET",
        };
        let conn = if let Asked::Open { conn, .. } = asked { Some(*conn) } else { None };
        if conn.is_some() {
            headers.push(("upgrade".to_owned(), "websocket".to_owned()));
            headers.push(("sec-websocket-key".to_owned(), "dGhlIHNhbXBsZSBub25jZQ==".to_owned()));
        }
        let body = request.body.clone().unwrap_or_default().into_bytes();
        match self.vendor.answer(method, &request.path_and_query, headers, body) {
            Reply::Told { status, retry_after_s, body, delay_ms } => {
                let reached = Reached::Told { status, retry_after_s, body };
                if delay_ms > 0 {
                    self.agenda.after(delay_ms * 1_000, Event::Paced(id, Box::new(reached)));
                } else {
                    self.answer(id, reached);
                }
            }
            Reply::Gone => self.answer(id, Reached::Failed("connection reset")),
            Reply::Stream(stream) => {
                let Some(conn) = conn else { return self.vendor.broken(stream) };
                let frame_bytes_max = self.source.limits().frame_bytes_max;
                let now_us = self.agenda.now_us();
                let road = self.network.lay(stream, conn, frame_bytes_max);
                let opened = Carried::Opened(id);
                if let Some(at_us) = self.network.send_down(now_us, road, opened) {
                    self.agenda.at(at_us, Event::Down(road));
                }
                self.pump(stream);
            }
        }
    }

    /// An answer is on its way to us.
    pub(crate) fn answer(&mut self, id: u64, reached: Reached) {
        let at_us = self.network.arrival(self.agenda.now_us());
        self.agenda.at(at_us, Event::Answered(id, Box::new(reached)));
    }

    pub(crate) fn answered(&mut self, id: u64, reached: Reached) {
        let Some(Errand { asked, request }) = self.errands.remove(&id) else { return };
        let (status, retry_after_s, body) = match reached {
            Reached::Told { status, retry_after_s, body } => (status, retry_after_s, body),
            Reached::Failed(what) => return self.bring(failed(&asked, unreached(what))),
        };
        let retry_after_ms = retry_after_s.map(|seconds| seconds * 1_000);
        let answer =
            Answer { status, retry_after_ms, headers: Default::default(), body: Bytes::from(body) };
        let brought = match asked {
            Asked::Token { version, at } => {
                let result = self.source.read_token(&answer);
                let result = result.map(|granted| (granted.token, granted.life_ms));
                Brought::Token { version, at, result }
            }
            Asked::Page { request: number, what, .. } => {
                let page = self.source.read(&what, request.path(), &answer);
                Brought::Input(match page {
                    Ok(page) => Input::Page { request: number, page },
                    Err(failure) => Input::PageFailed { request: number, failure },
                })
            }
            Asked::Open { conn, .. } => {
                let path = request.path();
                let failure =
                    self.source.handshake_refused(path, status, retry_after_ms, &answer.body);
                Brought::Socket(conn, Err(failure))
            }
        };
        self.bring(brought);
    }

    /// The handshake's answer has come.
    pub(crate) fn opened(&mut self, road: u64, id: u64) {
        let awaited = self.errands.remove(&id);
        match awaited {
            Some(Errand { asked: Asked::Open { conn, .. }, .. }) => {
                if let Some(road) = self.network.roads.get_mut(&road) {
                    road.is_open = true;
                }
                self.bring(Brought::Socket(conn, Ok(())));
            }
            _ => self.leave(road),
        }
    }

    /// The deadline of an errand has passed.
    pub(crate) fn late(&mut self, id: u64) {
        let Some(Errand { asked, .. }) = self.errands.remove(&id) else { return };
        if let Asked::Open { conn, .. } = &asked
            && let Some(road) = self.network.road_of(*conn)
        {
            self.leave(road);
        }
        self.bring(failed(&asked, unreached("took too long")));
    }

    /// The network fails some of the requests under way, answered or not. Returns how many.
    pub(crate) fn fail_errands(&mut self, rng: &mut fastrand::Rng) -> usize {
        let is_plain = |errand: &Errand| !matches!(errand.asked, Asked::Open { .. });
        let ids: Vec<u64> = self
            .errands
            .iter()
            .filter(|(_, errand)| is_plain(errand) && rng.bool())
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.agenda
                .after(0, Event::Answered(*id, Box::new(Reached::Failed("connection reset"))));
        }
        ids.len()
    }
}

/// The errand has come to nothing.
fn failed(asked: &Asked, failure: Failure) -> Brought {
    match asked {
        Asked::Token { version, at } => {
            Brought::Token { version: *version, at: *at, result: Err(failure) }
        }
        Asked::Page { request, .. } => {
            Brought::Input(Input::PageFailed { request: *request, failure })
        }
        Asked::Open { conn, .. } => Brought::Socket(*conn, Err(failure)),
    }
}

/// What the network's failures call for.
fn unreached(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: Label::from(what) }
}

/// What is ready at once: secrets stand in the configuration.
fn at_once<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(unreached("a secret is not at hand")),
    }
}
