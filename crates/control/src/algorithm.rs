//! The routing algorithm of a node: one of two, chosen at its start and the same for its whole life.

use crate::batman_iv::BatmanIv;
use crate::batman_v::BatmanV;
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{
    Context, Measured, Metric, NeighbourRow, OriginatorRow, RouteReport, Routing, Settings,
};
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Discard, Instant, Mac, PacketType};

/// Which routing algorithm a node runs. All nodes of a mesh run the same one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RoutingAlgorithm {
    /// By the share of OGMs that arrive.
    #[default]
    BatmanIv,
    /// By the throughput of the links.
    BatmanV,
}

impl RoutingAlgorithm {
    /// The name that the kernel module and batctl have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatmanIv => "BATMAN_IV",
            Self::BatmanV => "BATMAN_V",
        }
    }

    /// The gateway class of a client that did not choose one (GW-01).
    pub const fn default_class(self) -> u32 {
        match self {
            Self::BatmanIv => 20,
            Self::BatmanV => 50,
        }
    }

    /// The highest gateway class.
    pub const fn class_max(self) -> u32 {
        match self {
            Self::BatmanIv => 255,
            Self::BatmanV => u32::MAX,
        }
    }
}

/// The algorithm with its state.
#[derive(Debug)]
pub(crate) enum Algorithm {
    Iv(BatmanIv),
    V(BatmanV),
}

/// What `$call` gives for the algorithm that runs.
macro_rules! either {
    ($self:expr, $algorithm:ident => $call:expr) => {
        match $self {
            Algorithm::Iv($algorithm) => $call,
            Algorithm::V($algorithm) => $call,
        }
    };
}

impl Algorithm {
    pub(crate) fn new(which: RoutingAlgorithm) -> Self {
        match which {
            RoutingAlgorithm::BatmanIv => Self::Iv(BatmanIv::new()),
            RoutingAlgorithm::BatmanV => Self::V(BatmanV::new()),
        }
    }

    /// An interface joined; `interfaces` has it already. Its numbers start with `seqno`.
    pub(crate) fn attach(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        seqno: u32,
    ) {
        either!(self, it => it.attach(ctx, interfaces, iface, seqno));
    }

    /// The link, the address, the MTU or the role of an interface changed; `interfaces` has it already.
    pub(crate) fn changed(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        either!(self, it => it.changed(ctx, interfaces, iface));
    }

    /// An interface left; `interfaces` no longer has it.
    pub(crate) fn detach(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        either!(self, it => it.detach(ctx, interfaces, iface));
    }

    /// Settings of the node or of an interface changed.
    pub(crate) fn settings_changed(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        match self {
            Self::Iv(iv) => iv.settings_changed(ctx),
            Self::V(v) => v.settings_changed(ctx, interfaces),
        }
    }

    /// A broadcast of a neighbour about routing arrived; `bytes` is what follows the outer header.
    ///
    /// # Errors
    /// [`Discard::Type`] if it belongs to the other algorithm.
    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    pub(crate) fn on_frame(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        packet_type: PacketType,
        destination: Mac,
        from: Mac,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        match (self, packet_type) {
            (Self::Iv(iv), PacketType::Ogm) => {
                iv.on_frame(ctx, interfaces, iface, destination, from, bytes);
                Ok(())
            }
            (Self::V(v), PacketType::Elp) => v.on_elp(ctx, interfaces, iface, from, bytes),
            (Self::V(v), PacketType::Ogm2) => v.on_frame(ctx, interfaces, iface, from, bytes),
            _ => Err(Discard::Type),
        }
    }

    /// How fast a link is, as far as the system knows. Nothing that B.A.T.M.A.N. IV asks for.
    pub(crate) fn measured(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        neighbour: Option<Mac>,
        measured: Measured,
    ) {
        if let Self::V(v) = self {
            v.measured(ctx, interfaces, iface, neighbour, measured);
        }
    }

    /// The next thing the rest of the engine has to know, oldest first.
    pub(crate) fn poll_event(&mut self) -> Option<RoutingEvent> {
        either!(self, it => it.poll_event())
    }

    /// Does everything that is due. `containers` commits what the next OGM is to announce and returns its TVLV area, which
    /// may take as many bytes as it is told; `None`: this OGM is left out.
    pub(crate) fn on_deadline(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
    ) {
        either!(self, it => it.on_deadline(ctx, interfaces, containers));
    }

    /// When [`Self::on_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        either!(self, it => it.next_deadline())
    }

    /// Who is on one link (FWD-86).
    pub(crate) fn neighbours(&self, iface: Iface) -> noctule_fib::Neighbours {
        either!(self, it => it.neighbours(iface))
    }

    /// How many originators are known.
    pub(crate) fn len(&self) -> usize {
        either!(self, it => it.len())
    }

    /// Whether a neighbour is an interface of the node with this originator address.
    pub(crate) fn speaks_as(&self, hop: NextHop, originator: Mac) -> bool {
        either!(self, it => it.speaks_as(hop, originator))
    }

    /// Whether a neighbour is likely to have a way to us (TT-84). B.A.T.M.A.N. V has no echoes that would tell.
    pub(crate) fn hears_us(&self, neighbour: Mac) -> bool {
        match self {
            Self::Iv(iv) => iv.has_echoed(neighbour),
            Self::V(_) => true,
        }
    }

    /// The originator table as the default view has it (IV-103, V-91).
    pub(crate) fn originator_rows(
        &self,
        now: Instant,
        interfaces: &Interfaces,
    ) -> Vec<OriginatorRow> {
        either!(self, it => it.originator_rows(now, interfaces))
    }

    /// The originator table of one interface's view (IV-104, V-91).
    pub(crate) fn originator_rows_of(
        &self,
        now: Instant,
        interfaces: &Interfaces,
        iface: Iface,
    ) -> Vec<OriginatorRow> {
        either!(self, it => it.originator_rows_of(now, interfaces, iface))
    }

    /// The neighbour table (IV-105, V-92).
    pub(crate) fn neighbour_rows(&self, now: Instant) -> Vec<NeighbourRow> {
        either!(self, it => it.neighbour_rows(now))
    }

    /// All that decides about the default route to an originator; `None` if it is unknown.
    pub(crate) fn route_report(
        &self,
        now: Instant,
        settings: &Settings,
        originator: Mac,
    ) -> Option<RouteReport> {
        match self {
            Self::Iv(iv) => iv.route_report(now, settings.orig_interval, originator),
            Self::V(v) => v.route_report(now, originator),
        }
    }

    /// A number of [`Routing::metric`] with what it measures.
    pub(crate) fn measure(&self, metric: u32) -> Metric {
        match self {
            Self::Iv(_) => Metric::Tq(u8::try_from(metric).unwrap_or(u8::MAX)),
            Self::V(_) => Metric::Throughput(Throughput(metric)),
        }
    }
}

impl Routing for Algorithm {
    fn knows(&self, originator: Mac) -> bool {
        either!(self, it => it.knows(originator))
    }

    fn router(&self, originator: Mac, view: View) -> Option<NextHop> {
        either!(self, it => it.router(originator, view))
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        either!(self, it => it.metric(originator))
    }

    fn originators(&self) -> Vec<Mac> {
        either!(self, it => it.originators())
    }
}
