//! The control plane as a whole: what every part of it needs.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwapOption;
use postern_protocol::gate::Issuer;
use postern_service::{random, sso::Issuers};
use tokio::sync::watch;

use crate::{
    actions,
    clock::Clock,
    events::Bell,
    feed::{Bus, Hub, Notice, Outbox, Signer, Tail},
    limiter::{self, Limiter},
    oidc::RelyingParty,
    seal::Seal,
    store::{Store, StoreError},
};

/// Store, clock, feed and signing key of one control plane.
pub(crate) struct ControlPlane {
    /// Made when it started: which of those on this store it is.
    pub id: String,
    /// What must not be forgotten.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The sidecars that are connected.
    pub hub: Hub,
    /// What they are told, read once for all of them.
    pub tail: Tail,
    /// Rings when the audit trail has grown.
    pub bell: Bell,
    /// Tells the other control planes on this store.
    pub bus: Bus,
    /// Failed sign-ins, at whichever control plane.
    pub sign_ins: Limiter,
    /// Signs what they are told.
    pub signer: Signer,
    /// Where people ask for access.
    pub public_url: String,
    /// Whose tokens count here.
    pub issuers: Issuers,
    /// The same, as sidecars are told of it.
    trusted: watch::Sender<Vec<Issuer>>,
    /// Who of them may do everything: identities and `group:NAME`.
    pub admins: Vec<String>,
    /// What the SSO provider knows it as, if there is one.
    pub relying_party: Option<RelyingParty>,
    /// What proves that cookies and forms come from here.
    pub seal: Seal,
    /// What keeps it from doing its work, if anything does.
    pub trouble: ArcSwapOption<String>,
}

/// What the configuration says of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Where people ask for access.
    pub public_url: String,
    /// Who of them may do everything.
    pub admins: Vec<String>,
    /// What the SSO provider knows it as.
    pub relying_party: Option<RelyingParty>,
}

impl ControlPlane {
    /// Puts one together; the signing key comes from the store, which gets one the first time.
    /// The outbox is for [`crate::feed::bus::run`].
    pub(crate) async fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<(Arc<Self>, Outbox), crate::Error> {
        let id = random::id("cp").map_err(actions::Failure::from).map_err(crate::Error::Client)?;
        let signer = Signer::load(&*store).await?;
        let seal = Seal::load(&*store).await?;
        let Settings { public_url, admins, relying_party } = settings;
        let now = clock.now();
        let newest = newest(&*store).await?;
        let (bus, outbox) = Bus::new();
        let plane = Self {
            id,
            store,
            clock,
            hub: Hub::new(newest, now),
            tail: Tail::new(newest),
            bell: Bell::default(),
            bus,
            sign_ins: Limiter::default(),
            signer,
            public_url,
            issuers: Issuers::default(),
            trusted: watch::Sender::default(),
            admins,
            relying_party,
            seal,
            trouble: ArcSwapOption::empty(),
        };
        Ok((Arc::new(plane), outbox))
    }

    /// Trusts these issuers from now on and no others, here and at every sidecar. To be called on a runtime.
    pub(crate) fn trust(&self, issuers: Vec<Issuer>) {
        self.issuers.trust(issuers.clone());
        self.trusted.send_replace(issuers);
    }

    /// The trusted issuers, to be watched.
    pub(crate) fn trusted(&self) -> watch::Receiver<Vec<Issuer>> {
        self.trusted.subscribe()
    }

    /// Somebody at this address gave a wrong secret under this name. Every control plane counts that.
    pub(crate) fn sign_in_failed(&self, address: IpAddr, name: &str) {
        self.sign_ins.failed(address, name);
        self.bus.tell(Notice::SignInFailed(address, limiter::shortened(name)));
    }

    /// Whether it can do its work, or what keeps it from that.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if let Some(trouble) = self.trouble.load().as_deref() {
            return Err(trouble.clone());
        }
        if self.hub.is_blind(self.clock.now()) {
            return Err("the store does not answer".to_owned());
        }
        Ok(())
    }
}

async fn newest(store: &dyn Store) -> Result<u64, StoreError> {
    Ok(store.read().await?.log_reach().await?.newest)
}
