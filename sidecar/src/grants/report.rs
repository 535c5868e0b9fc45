//! What the control plane is told: acknowledgements, sessions, where we stand.

use std::{sync::Arc, time::Duration};

use postern_protocol::gate::{
    Ack, Knock, Knocked, Pulse, RequestId, SessionEnd, SessionReport, SessionStart, SidecarToken,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::mpsc;

use super::FeedState;
use crate::session::Registry;

const TRIES: u32 = 5;
const PULSE: Duration = Duration::from_secs(1);
const GATHER: Duration = Duration::from_millis(50);
const BATCH: usize = 1_000;

/// The way to the control plane.
#[derive(Clone)]
pub(crate) struct Reports {
    http: reqwest::Client,
    url: Arc<str>,
    token: SidecarToken,
    news: mpsc::Sender<News>,
}

/// Why the control plane has not done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It does not answer, or nothing that is understood.
    #[error("the control plane cannot be reached")]
    Unreachable,
    /// It says no, in its own words.
    #[error("{0}")]
    Refused(String),
}

/// One thing that happened to a session.
#[derive(Debug)]
enum News {
    Started(SessionStart),
    Ended(SessionEnd),
}

impl Reports {
    /// The reports, and the task that sends those about sessions, to be run for ever.
    pub(crate) fn new(
        http: reqwest::Client,
        url: &str,
        token: SidecarToken,
        instance: String,
        registry: Arc<Registry>,
        state: Arc<FeedState>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (news, inbox) = mpsc::channel(BATCH * 16);
        let reports = Self { http, url: url.into(), token, news };
        let courier = Courier { reports: reports.clone(), instance, registry, state, complete: false };
        (reports, courier.run(inbox))
    }

    /// Posts one report; says whether it was taken.
    pub(crate) async fn post<T: Serialize + Sync>(&self, what: &str, report: &T) -> bool {
        let request = self.http.post(format!("{}/v1/sidecar/{what}", self.url)).json(report);
        let sent = request.bearer_auth(self.token.reveal()).timeout(Duration::from_secs(5)).send().await;
        sent.is_ok_and(|response| response.status().is_success())
    }

    /// Files a wish.
    pub(crate) async fn knock(&self, knock: &Knock) -> Result<Knocked, NoAnswer> {
        self.answer(self.http.post(format!("{}/v1/sidecar/knocks", self.url)).json(knock)).await
    }

    /// Where a wish stands.
    pub(crate) async fn knocked(&self, request: &RequestId) -> Result<Knocked, NoAnswer> {
        self.answer(self.http.get(format!("{}/v1/sidecar/knocks/{request}", self.url))).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, NoAnswer> {
        #[derive(serde::Deserialize)]
        struct Problem {
            detail: String,
        }
        let sent = request.bearer_auth(self.token.reveal()).timeout(Duration::from_secs(5)).send().await;
        let response = sent.map_err(|_| NoAnswer::Unreachable)?;
        if response.status().is_success() {
            return response.json().await.map_err(|_| NoAnswer::Unreachable);
        }
        let problem: Problem = response.json().await.map_err(|_| NoAnswer::Unreachable)?;
        Err(NoAnswer::Refused(problem.detail))
    }

    /// Acknowledges a change. Given up after a few tries: a control plane that comes back asks anew.
    pub(crate) async fn ack(&self, ack: &Ack) {
        for attempt in 0..TRIES {
            if self.post("acks", ack).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(attempt)).await;
        }
    }

    /// A session began. When too much waits already, the next report is a complete one instead.
    pub(crate) fn started(&self, start: SessionStart) {
        let _ = self.news.try_send(News::Started(start));
    }

    /// A session ended.
    pub(crate) fn ended(&self, end: SessionEnd) {
        let _ = self.news.try_send(News::Ended(end));
    }
}

struct Courier {
    reports: Reports,
    instance: String,
    registry: Arc<Registry>,
    state: Arc<FeedState>,
    /// Whether the control plane has everything up to the news that waits.
    complete: bool,
}

impl Courier {
    async fn run(mut self, mut inbox: mpsc::Receiver<News>) {
        let mut pulse = tokio::time::interval(PULSE);
        loop {
            let mut news = Vec::new();
            tokio::select! {
                count = inbox.recv_many(&mut news, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    if inbox.capacity() == 0 {
                        self.complete = false;
                    }
                    tokio::time::sleep(GATHER).await;
                    while news.len() < BATCH && let Ok(more) = inbox.try_recv() {
                        news.push(more);
                    }
                    self.tell(news).await;
                }
                _ = pulse.tick() => self.pulse().await,
            }
        }
    }

    async fn tell(&mut self, news: Vec<News>) {
        if !self.complete {
            return;
        }
        let (mut started, mut ended) = (Vec::new(), Vec::new());
        for item in news {
            match item {
                News::Started(start) => started.push(start),
                News::Ended(end) => ended.push(end),
            }
        }
        let report = SessionReport { instance: self.instance.clone(), all: false, started, ended };
        self.complete = self.reports.post("sessions", &report).await;
    }

    async fn pulse(&mut self) {
        if !self.state.is_connected() {
            self.complete = false;
            return;
        }
        if !self.complete {
            let started = self.registry.pick(|_| true).iter().map(|session| session.start()).collect();
            let report =
                SessionReport { instance: self.instance.clone(), all: true, started, ended: Vec::new() };
            self.complete = self.reports.post("sessions", &report).await;
        }
        let (applied, sessions) = (self.state.applied(), self.registry.len() as u64);
        self.reports.post("pulse", &Pulse { instance: self.instance.clone(), applied, sessions }).await;
    }
}
