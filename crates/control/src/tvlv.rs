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

/// Gives the containers of a unicast TVLV packet to their handlers and tells whether the packet is to travel on: if any
/// handler said so (TVLV-26, TVLV-27). Unknown containers count as consumed (TVLV-28).
pub(crate) fn on_unicast(
    ctx: &mut Context<'_>,
    routing: &dyn Routing,
    table: &mut TranslationTable,
    for_me: bool,
    packet: &UnicastTvlv<'_>,
) -> Disposition {
    let mut disposition = Disposition::Consumed;
    for container in Containers::new(packet.tvlvs) {
        let answer = match container {
            Ok(container) if container.kind == Kind::TRANSLATION_TABLE => {
                table.on_unicast(ctx, routing, for_me, packet, container.value)
            }
            Ok(container) if container.kind == Kind::ROAMING => {
                table.on_roaming(ctx, routing, for_me, packet, container.value)
            }
            Ok(_) => {
                ctx.discard(Discard::UnknownTvlv);
                Disposition::Consumed
            }
            Err(discard) => {
                ctx.discard(discard);
                Disposition::Consumed
            }
        };
        if answer == Disposition::PassOn {
            disposition = Disposition::PassOn;
        }
    }
    disposition
}
