//! A vendor that gives the answers of a script, one after another, and notes the questions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use unbroken_connect::{Source, SourceConfig};

/// One answer, written as it is; an empty one resets the connection.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// States as `(agent, state, second)`.
pub(crate) fn page(states: &[(u32, &str, u32)], place: u32, total: usize) -> Vec<u8> {
    let row = |(agent, state, second): &(u32, &str, u32)| {
        format!(
            r#"{{"agentId":{agent},"agentStateName":"{state}","lastUpdateTime":"{}"}}"#,
            time(*second)
        )
    };
    let rows: Vec<String> = states.iter().map(row).collect();
    let rows = rows.join(",");
    let place = time(place);
    let body =
        format!(r#"{{"totalRecords":{total},"lastPollTime":"{place}","agentStates":[{rows}]}}"#);
    answer("200 OK", "", &body)
}

/// A second of an hour.
pub(crate) fn time(second: u32) -> String {
    format!("2026-11-25T10:{:02}:{:02}.000Z", second / 60, second % 60)
}

pub(crate) fn nothing() -> Vec<u8> {
    b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
}

#[derive(Default)]
struct Talk {
    script: VecDeque<Vec<u8>>,
    questions: Vec<String>,
    /// What is said to who asks for everybody, once the script is over.
    everybody: Option<Vec<u8>>,
}

pub(crate) struct Vendor {
    port: u16,
    talk: Arc<Mutex<Talk>>,
    task: JoinHandle<()>,
}

impl Vendor {
    pub(crate) async fn start(script: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = script.into_iter().collect();
        let talk = Arc::new(Mutex::new(Talk { script, ..Talk::default() }));
        let shared = Arc::clone(&talk);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, talk, task }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it will say next.
    pub(crate) fn say(&self, answers: impl IntoIterator<Item = Vec<u8>>) {
        self.talk.lock().unwrap().script.extend(answers);
    }

    /// What it says to who asks for everybody, once the script is over.
    pub(crate) fn show_everybody(&self, page: Vec<u8>) {
        self.talk.lock().unwrap().everybody = Some(page);
    }

    /// Whether everything was asked for.
    pub(crate) fn is_done(&self) -> bool {
        self.talk.lock().unwrap().script.is_empty()
    }

    /// Heads of the requests so far.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.talk.lock().unwrap().questions.clone()
    }

    /// The parameters of the requests so far: `updatedSince` (`-` without), and `skip`.
    pub(crate) fn asked(&self) -> Vec<(String, u32)> {
        let value = |question: &str, name: &str| {
            let begin = question.find(name)? + name.len();
            Some(question[begin..].split(['&', ' ']).next()?.replace("%3A", ":"))
        };
        let asked = self.questions();
        let asked = asked.iter().filter(|question| question.contains("/agents/states"));
        asked
            .map(|question| {
                let since = value(question, "updatedSince=").unwrap_or_else(|| "-".into());
                (since, value(question, "skip=").unwrap().parse().unwrap())
            })
            .collect()
    }

    pub(crate) fn source_with(&self, more: &str) -> Source {
        let plenty = "budget = { requests_per_minute = 1000000, requests_burst = 1000 }";
        let config: SourceConfig =
            toml::from_str(&self.source_text(&format!("{plenty}\n{more}"), 1)).unwrap();
        Source::new(config).unwrap()
    }

    pub(crate) fn source_text(&self, more: &str, interval_ms: u64) -> String {
        let port = self.port;
        format!(
            r#"
            name = "poll"
            api = "http://127.0.0.1:{port}"
            {more}
            [profile]
            extends = "cxone-poll"
            capabilities = {{ token_needed = false, snapshot_staleness_ms_max = 0 }}
            [profile.poll]
            interval_ms = {interval_ms}
            limit = 2
            [profile.poll.request.headers]
            Authorization = "Bearer x"
            [profile.snapshot.request.headers]
            Authorization = "Bearer x"
            "#
        )
    }

    /// With the bearer that the profile sends.
    pub(crate) fn source_text_with_token(&self) -> String {
        format!(
            "name = \"poll\"\napi = \"http://127.0.0.1:{}\"\n\
             auth = {{ grant = \"access_key\", key_id = {{ env = \"A\" }}, \
             key_secret = {{ env = \"B\" }} }}\n\
             budget = {{ requests_per_minute = 1000000 }}\n\
             [profile]\nextends = \"cxone-poll\"\npoll = {{ interval_ms = 1 }}\n",
            self.port
        )
    }

    pub(crate) fn source(&self) -> Source {
        self.source_with("")
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, talk: Arc<Mutex<Talk>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let question = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let said = {
            let mut talk = talk.lock().unwrap();
            let of_all = !question.contains("updatedSince=");
            talk.questions.push(question);
            let next = talk.script.pop_front();
            next.or_else(|| talk.everybody.clone().filter(|_| of_all)).unwrap_or_else(nothing)
        };
        if said.is_empty() {
            return;
        }
        let cut = said.ends_with(b"[cut]");
        let said = said.strip_suffix(b"[cut]").unwrap_or(&said);
        stream.write_all(said).await.unwrap();
        if cut {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
