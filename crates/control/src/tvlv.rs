//! Which part of the engine gets which TVLV container (TVLV-10 to TVLV-28).

use crate::translation_table::{Disposition, TranslationTable};
use crate::{Context, Routing};
use noctule_wire::tvlv::{Containers, Kind};
use noctule_wire::{Discard, Mac, UnicastTvlv};

/// Gives the containers of an OGM of `originator` to their handlers, in order. What cannot be parsed ends the walk, and
/// what is unknown is skipped (TVLV-11 to TVLV-14).
pub(crate) fn on_ogm(
    ctx: &mut Context<'_>,
    routing: &dyn Routing,
    table: &mut TranslationTable,
    originator: Mac,
    may_request: bool,
    area: &[u8],
) {
    for container in Containers::new(area) {
        match container {
            Ok(container) if container.kind == Kind::TRANSLATION_TABLE => {
                table.on_ogm(ctx, routing, originator, may_request, container.value);
            }
            Ok(_) => {}
            Err(discard) => ctx.discard(discard),
        }
    }
}

/// Gives the container of a unicast TVLV packet to its handler and tells whether the packet is to travel on (TVLV-26,
/// TVLV-27). Only the first one counts: senders put in exactly one (TVLV-23), and with several a crafted packet could both
/// be answered and travel on. An unknown container, or none, counts as consumed (TVLV-28).
pub(crate) fn on_unicast(
    ctx: &mut Context<'_>,
    routing: &dyn Routing,
    table: &mut TranslationTable,
    for_me: bool,
    packet: &UnicastTvlv<'_>,
) -> Disposition {
    match Containers::new(packet.tvlvs).next() {
        Some(Ok(container)) if container.kind == Kind::TRANSLATION_TABLE => {
            table.on_unicast(ctx, routing, for_me, packet, container.value)
        }
        Some(Ok(container)) if container.kind == Kind::ROAMING => {
            table.on_roaming(ctx, routing, for_me, packet, container.value)
        }
        Some(Err(discard)) => {
            ctx.discard(discard);
            Disposition::Consumed
        }
        Some(Ok(_)) | None => {
            ctx.discard(Discard::UnknownTvlv);
            Disposition::Consumed
        }
    }
}
