//! Bounds and rates: what strangers, and large meshes, can make this table do (TT-67, TT-87, TT-98, TT-105, TT-107,
//! TT-110).

use core::time::Duration;
use noctule_wire::tvlv::translation_table::{Change, TranslationTable, VlanBlock};
use noctule_wire::{Client, Instant, Mac, Ttvn};
use std::collections::BTreeMap;

/// A local client that has been silent for longer is withdrawn (TT-28).
pub(super) const LOCAL_TIMEOUT: Duration = Duration::from_secs(600);
/// A client that has roamed away is kept for so long in case its new node announces it (TT-72).
pub(super) const ROAM_TIMEOUT: Duration = Duration::from_secs(600);
/// A client learned from payload is believed for so long without an announcement (TT-72).
pub(super) const TEMPORARY_TIMEOUT: Duration = Duration::from_secs(600);
/// Time between two rounds of housekeeping (section 2).
pub(super) const HOUSEKEEPING_PERIOD: Duration = Duration::from_secs(5);
/// Idle time from which clients are dropped when the table has become too large for a packet; halved until enough are
/// gone (TT-36).
pub(super) const SHRINK_IDLE: Duration = Duration::from_secs(300);

/// No second request to an originator until strictly more has passed since the first (TT-86).
pub(super) const REQUEST_WAIT: Duration = Duration::from_secs(3);
/// An answer that comes later than this was not asked for (TT-97).
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Requests that this node sends at most at once, and per second in the long run, to all originators together (TT-87).
/// A node that joins 200 others has all tables within two or three OGM intervals; a forged flood of originators that are
/// all out of step costs at most 64 small packets a second.
pub(super) const REQUEST_BURST: u32 = 128;
pub(super) const REQUESTS_PER_SECOND: u32 = 64;
/// Full tables in a row that may fail to bring an originator into step before requests to it slow down. Three are
/// normal under churn; more mean that its CRCs never match what it sends, and asking again changes nothing. The same
/// holds for requests in a row without an answer, to an originator that has never been in step.
pub(super) const FRUITLESS_MAX: u8 = 3;
/// Longest pause between requests to such an originator.
pub(super) const FRUITLESS_PAUSE_MAX: Duration = Duration::from_secs(30);
/// A list that is not what its originator's CRCs say, for longer than this, is fetched anew (TT-58, TT-61).
pub(super) const STRAYED_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between requests to an originator that announces more than is stored (TT-67).
pub(super) const OVERSIZE_PAUSE: Duration = Duration::from_secs(60);

/// One table version is given to one requester once in this time (TT-98); and requests for it, and answers to it, that pass
/// through are passed on once in this time. Nobody asks again so soon, but where forged OGMs have bent the routes
/// into a circle, a packet would come round until its TTL is spent.
pub(super) const ANSWER_SPACING: Duration = Duration::from_millis(250);
/// Bytes of answers at once, and per second in the long run, to all requesters together (TT-98). The burst is what a
/// node that joins a mesh of 500 nodes with 10,000 clients asks from its first neighbour, three times; the rate is one
/// mebibit per second.
pub(super) const ANSWER_BURST_BYTES: u32 = 512 * 1024;
pub(super) const ANSWER_BYTES_PER_SECOND: u32 = 128 * 1024;
/// The same for one requester, so that nobody alone uses up what the others need.
pub(super) const REQUESTER_BURST_BYTES: u32 = ANSWER_BURST_BYTES / 2;
pub(super) const REQUESTER_BYTES_PER_SECOND: u32 = ANSWER_BYTES_PER_SECOND / 4;
/// Requests and answers remembered for [`ANSWER_SPACING`].
const ANSWERS_MAX: usize = 4096;

/// Advertisements of one client that are sent in one window (TT-107).
pub(super) const ROAM_SENT_MAX: u8 = 5;
/// Advertisements of one client that are accepted in one window, from all nodes together (TT-110): twice what one
/// node sends.
pub(super) const ROAM_ACCEPTED_MAX: u8 = 10;
/// Length of such a window (TT-107).
pub(super) const ROAM_WINDOW: Duration = Duration::from_secs(20);
/// Clients whose windows are remembered: as many as a full local table and its neighbour's.
const ROAM_WINDOWS_MAX: usize = 4096;
/// Advertisements accepted from one originator at once, and per second in the long run (TT-110). An access point that
/// takes over all clients of another, some hundreds, stays below.
pub(super) const ROAM_SOURCE_BURST: u32 = 512;
pub(super) const ROAM_SOURCE_PER_SECOND: u32 = 32;

/// Most clients that a table of one VLAN can have by its format (TT-67).
pub(super) const CLIENTS_PER_ORIGINATOR: usize =
    (u16::MAX as usize - TranslationTable::HEADER_LEN - VlanBlock::LEN) / Change::LEN;
/// So many clients of each originator are stored also when the table is full; more only while nobody else needs the
/// room, and then the originators known longest have it first (TT-67). With the default limits the table holds this for
/// every originator there can be.
pub(super) const SURE_CLIENTS: usize = 16;
/// One originator gets at most this part of the temporary entries (TT-105), so that one flood of forged sources leaves
/// room for what others bring.
pub(super) const TEMPORARY_SHARE: usize = 4;
/// Changes kept of an originator's last diff, to answer on its behalf: what an OGM carries on a link with MTU 1500. A
/// longer diff is not kept, and a request is answered with the full table.
pub(super) const CACHED_CHANGES_MAX: usize = 125;

/// What may happen so often per second, and so often at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    burst: u32,
    per_second: u32,
    /// In millionths.
    level: u64,
    filled: Instant,
}

/// One token.
const TOKEN: u64 = 1_000_000;

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second, level: u64::from(burst) * TOKEN, filled: Instant::ZERO }
    }

    /// Whether all tokens are there.
    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level == u64::from(self.burst) * TOKEN
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.as_micros().saturating_sub(self.filled.as_micros());
        let gained = elapsed.saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(gained).min(u64::from(self.burst) * TOKEN);
        self.filled = self.filled.max(now);
    }

    /// Takes `amount` tokens; `false`, and none taken, if there are fewer.
    pub(super) fn take(&mut self, now: Instant, amount: u32) -> bool {
        self.fill(now);
        let price = u64::from(amount) * TOKEN;
        if self.level < price {
            return false;
        }
        self.level -= price;
        true
    }
}

/// How many requests go out (TT-87): no more than [`REQUESTS_PER_SECOND`], and in the long run not more than frames with
/// OGMs come in. One frame can carry dozens of OGMs, and whoever forges them must not make every node of the mesh send
/// dozens of requests; so of the originators whose tables are here and were in step until now, each frame can have
/// one asked. The others are asked if their next OGM still says so.
#[derive(Debug)]
pub(super) struct RequestLimit {
    rate: TokenBucket,
    credit: u32,
    asked: bool,
}

impl RequestLimit {
    /// The first tables are asked for at once.
    pub(super) fn new() -> Self {
        let rate = TokenBucket::new(REQUEST_BURST, REQUESTS_PER_SECOND);
        Self { rate, credit: REQUEST_BURST, asked: false }
    }

    /// A frame with OGMs has come in.
    pub(super) fn frame_heard(&mut self) {
        self.credit = (self.credit + 1).min(REQUEST_BURST);
        self.asked = false;
    }

    /// Notes one request; `false` if it must not be sent. `has_table`: the originator's table is here in some version.
    pub(super) fn take(&mut self, now: Instant, has_table: bool) -> bool {
        if has_table && self.asked || self.credit == 0 || !self.rate.take(now, 1) {
            return false;
        }
        self.credit -= 1;
        self.asked = true;
        true
    }
}

/// A full memory is searched for what can be forgotten at most once in this time: the search costs its length.
const SEARCH_SPACING: Duration = Duration::from_millis(250);

/// How often each client was advertised in its present window (TT-107, TT-110).
#[derive(Debug)]
pub(super) struct RoamWindows {
    max: u8,
    searched: Instant,
    windows: BTreeMap<Client, (Instant, u8)>,
}

impl RoamWindows {
    /// No window yet; each lets `max` pass.
    pub(super) fn new(max: u8) -> Self {
        Self { max, searched: Instant::ZERO, windows: BTreeMap::new() }
    }

    /// Notes one advertisement; `false` if it is one too many.
    pub(super) fn allow(&mut self, now: Instant, client: Client) -> bool {
        if self.windows.len() >= ROAM_WINDOWS_MAX && !self.windows.contains_key(&client) {
            if self.searched.timed_out(now, SEARCH_SPACING) {
                self.expire(now);
            }
            if self.windows.len() >= ROAM_WINDOWS_MAX {
                return false;
            }
        }
        let (start, count) = self.windows.entry(client).or_insert((now, 0));
        if start.timed_out(now, ROAM_WINDOW) {
            (*start, *count) = (now, 0);
        }
        let allowed = *count < self.max;
        *count = count.saturating_add(1);
        allowed
    }

    /// Forgets windows that are over.
    pub(super) fn expire(&mut self, now: Instant) {
        self.searched = now;
        self.windows.retain(|_, (start, _)| !start.timed_out(now, ROAM_WINDOW));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}

/// What is remembered for [`ANSWER_SPACING`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Passage {
    /// A request that was answered or passed on.
    Request,
    /// An answer that was passed on.
    Response,
}

/// One version of the table of `described`, for `requester`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand {
    pub(super) passage: Passage,
    pub(super) requester: Mac,
    pub(super) described: Mac,
    pub(super) ttvn: Ttvn,
}

/// Which requests and answers were dealt with a moment ago, and how many bytes of answers were sent (TT-98).
#[derive(Debug)]
pub(super) struct AnswerLimit {
    searched: Instant,
    recent: BTreeMap<(Passage, Mac, Mac), (Ttvn, Instant)>,
    bytes: TokenBucket,
    /// Those whose buckets are not full.
    requesters: BTreeMap<Mac, TokenBucket>,
}

impl AnswerLimit {
    pub(super) fn new() -> Self {
        Self {
            searched: Instant::ZERO,
            recent: BTreeMap::new(),
            bytes: TokenBucket::new(ANSWER_BURST_BYTES, ANSWER_BYTES_PER_SECOND),
            requesters: BTreeMap::new(),
        }
    }

    /// Notes something to be done, with the bytes that this node sends of its own for it (0 to pass it on); `false` if it
    /// must not be done, be it because it was done a moment ago.
    pub(super) fn take(&mut self, now: Instant, errand: Errand, len: usize) -> bool {
        let Errand { passage, requester, described, ttvn } = errand;
        let key = (passage, requester, described);
        let just_done = self
            .recent
            .get(&key)
            .is_some_and(|(version, at)| *version == ttvn && !at.timed_out(now, ANSWER_SPACING));
        let is_full = |limit: &Self| {
            limit.recent.len() >= ANSWERS_MAX || limit.requesters.len() >= ANSWERS_MAX
        };
        if is_full(self) && self.searched.timed_out(now, SEARCH_SPACING) {
            self.expire(now);
        }
        if just_done || is_full(self) || !self.pay(now, requester, len) {
            return false;
        }
        self.recent.insert(key, (ttvn, now));
        true
    }

    /// Takes the bytes of an answer from what the requester, and all together, may get.
    fn pay(&mut self, now: Instant, requester: Mac, len: usize) -> bool {
        let Ok(len) = u32::try_from(len) else { return false };
        let full = TokenBucket::new(REQUESTER_BURST_BYTES, REQUESTER_BYTES_PER_SECOND);
        len == 0
            || self.requesters.entry(requester).or_insert(full).take(now, len)
                && self.bytes.take(now, len)
    }

    /// Forgets what is too long ago to matter.
    pub(super) fn expire(&mut self, now: Instant) {
        self.searched = now;
        self.recent.retain(|_, (_, at)| !at.timed_out(now, ANSWER_SPACING));
        self.requesters.retain(|_, bytes| !bytes.is_full(now));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.recent.len().max(self.requesters.len())
    }
}
