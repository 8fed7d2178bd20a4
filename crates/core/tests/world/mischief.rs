//! What the vendor and the network do beyond their duty: faults, each of them once.

use bytes::Bytes;
use unbroken_core::connector::{Class, Decoded, Failure, Item, Page, Paging};
use unbroken_core::ids::{ConnId, Label};
use unbroken_core::machine::{Fetch, Input};
use unbroken_core::record::Closer;

use super::{Made, World, body};

/// How long before a planned close it is announced.
const NOTICE_MS: u64 = 60_000;

fn failure(class: Class, what: &str) -> Failure {
    Failure { class, code: None, what: Label::from(what) }
}

fn retry(what: &str) -> Failure {
    failure(Class::Retry { after_ms: None }, what)
}

impl World {
    /// A page of rows, where they come on two: by row number, by key, or of one frozen snapshot.
    pub fn page_of(&self, upto: usize, what: &Fetch) -> Page {
        let paging = self.rules.caps.paging;
        let frozen = |label: &Label| label.as_str().strip_prefix("of ").map(str::parse::<usize>);
        let upto = match what {
            Fetch::Next(label) => frozen(label).map_or(upto, |of| of.expect("our own label")),
            Fetch::Head | Fetch::First => upto,
        };
        let mut page = self.page_at(upto, *what != Fetch::Head);
        if !self.rules.two_pages || *what == Fetch::Head {
            return page;
        }
        if paging == Paging::SnapshotId {
            page.snapshot_id = Some(Label::new(format!("of {upto}")));
        }
        if paging == Paging::Keyed {
            page.total = None;
        }
        match what {
            Fetch::Next(label) => {
                let after = label.as_str().strip_prefix("after ").unwrap_or("");
                let keyed = paging == Paging::Keyed;
                let mut index = 0;
                page.rows.retain(|row| {
                    index += 1;
                    if keyed { row.key.as_str() > after } else { index > 1 }
                });
            }
            Fetch::First | Fetch::Head => {
                page.next = page.rows.first().filter(|_| page.rows.len() > 1).map(|first| {
                    Label::new(match paging {
                        Paging::SnapshotId => format!("of {upto}"),
                        Paging::Keyed => format!("after {}", first.key),
                        Paging::None | Paging::Offset => "the second".to_owned(),
                    })
                });
                page.rows.truncate(1);
            }
        }
        page
    }

    /// The oldest page request fails.
    pub fn fail_page(&mut self) {
        let (request, _) = self.pages.remove(0);
        self.give(Input::PageFailed { request, failure: retry("HTTP 503") });
    }

    /// The handshake is refused.
    pub fn refuse_handshake(&mut self, conn: ConnId) {
        self.socks.remove(&conn);
        self.give(Input::Refused { conn, failure: retry("HTTP 503") });
    }

    /// A position is refused although it is served.
    pub fn refuse_asked(&mut self, conn: ConnId) {
        self.socks.get_mut(&conn).unwrap().asked = None;
        self.refuse(conn);
    }

    /// The vendor closes a socket.
    pub fn close_sock(&mut self, conn: ConnId) {
        let announced = self.socks.remove(&conn).is_some_and(|sock| sock.closes_at.is_some());
        let class = if announced { Class::Closing } else { Class::Retry { after_ms: None } };
        let failure = failure(class, "closed by the vendor");
        self.give(Input::Closed { conn, by: Closer::Vendor, failure });
    }

    /// The vendor confirms a subscription, and then closes it without an event.
    pub fn close_idle(&mut self, conn: ConnId) {
        self.answer(conn);
        let told = self.socks.get_mut(&conn).unwrap().queue.pop_front();
        if let Some(decoded) = told {
            self.give(Input::Frame { conn, decoded });
        }
        if self.socks.contains_key(&conn) {
            self.close_sock(conn);
        }
    }

    /// The vendor says that it will close a socket.
    pub fn announce_close(&mut self, conn: ConnId) {
        let at = self.now + NOTICE_MS;
        let sock = self.socks.get_mut(&conn).unwrap();
        sock.closes_at = Some(at);
        let items = vec![Item::Closing { within_ms: Some(NOTICE_MS) }];
        sock.queue.push_back(Decoded { items, ..Decoded::default() });
    }

    /// The vendor forgets a subscription, and goes on answering pings.
    pub fn mute(&mut self, conn: ConnId) {
        self.socks.get_mut(&conn).unwrap().mute = true;
    }

    /// The next frame of a socket comes twice.
    pub fn deliver_twice(&mut self, conn: ConnId) {
        let again = self.socks[&conn].queue.front().cloned();
        self.deliver(conn);
        if let (Some(sock), Some(again)) = (self.socks.get_mut(&conn), again) {
            sock.queue.push_front(again);
        }
    }

    /// The next frame of a socket, an event, comes as bytes that nobody can read.
    pub fn garble(&mut self, conn: ConnId) {
        let mut decoded = self.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        let bytes = Bytes::from_static(b"\xff");
        decoded.items = vec![Item::Poison { reason: Label::from("no text"), bytes }];
        self.garbled += 1;
        self.give(Input::Frame { conn, decoded });
    }

    /// The next frame of a socket, an event, does not arrive, and the socket stays.
    pub fn drop_event(&mut self, conn: ConnId) {
        let decoded = self.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        for item in &decoded.items {
            if let Item::Event(event) = item {
                let is_it = |made: &Made| body(made) == event.payload;
                self.withheld.extend(self.events.iter().position(is_it));
            }
        }
    }

    /// The next frame of a socket, an event, comes under a name that nobody knows.
    pub fn rename(&mut self, conn: ConnId) {
        let mut decoded = self.socks.get_mut(&conn).unwrap().queue.pop_front().unwrap();
        decoded.items = vec![Item::Unknown];
        self.give(Input::Frame { conn, decoded });
    }

    /// The vendor tells how far its stream has come.
    pub fn beat(&mut self, conn: ConnId) {
        let epoch = self.epoch_name(self.epoch);
        let items = vec![Item::Heartbeat { position: Some(self.head()) }];
        let sock = self.socks.get_mut(&conn).unwrap();
        sock.queue.push_back(Decoded { subscription: None, epoch, items });
    }

    /// The vendor says on every socket that it is there.
    pub fn beat_all(&mut self) {
        let open = self.socks.values_mut().filter(|sock| sock.subscribed && !sock.mute);
        open.for_each(|sock| sock.queue.push_back(Decoded::default()));
    }

    /// In the model the vendor answers pings. A script says itself when it does.
    pub(super) fn answer_ping(&mut self, conn: ConnId) {
        if self.still
            && let Some(sock) = self.socks.get_mut(&conn)
        {
            sock.queue.push_back(Decoded::default());
        }
    }
}
