//! `cargo xtask netns`: real nodes on this kernel, in network namespaces.

mod backend;
pub(crate) mod bridge;
mod broadcast;
mod commands;
mod demo;
mod forwarding;
mod fragments;
mod gateway;
mod gateways;
mod groups;
mod hostile;
mod interfaces;
mod ipv6;
pub(crate) mod lan;
mod lan_attacks;
mod learning;
mod listeners;
mod offload;
mod scripts;
mod segmentation;
mod settings;
mod soak;
mod start;
mod tools;
mod why;
mod workers;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases::{self, Case, SideBySide, cases};
use crate::lab::{Lab, Side, enclose};
use crate::node::{self, Node};
use crate::{BadUse, program};

/// For whatever must come sooner or later, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

const CASES: &[Case] = cases![
    forwarding::two_neighbours_ping_each_other,
    forwarding::tcp_crosses_three_hops,
    forwarding::a_silent_relay_is_replaced,
    forwarding::a_restarted_node_is_back_soon,
    offload::fwd_72_packets_in_transit_stay_in_the_kernel,
    offload::fwd_46_fwd_120_frames_of_hosts_stay_in_the_kernel,
    offload::every_frame_is_counted_as_forwarded_or_under_its_reason,
    offload::packets_in_transit_survive_the_daemon_and_the_next_one_adopts_them,
    offload::fwd_110_a_route_that_changes_is_followed_in_the_kernel,
    offload::a_stopped_node_leaves_the_kernel_unless_it_is_to_keep,
    offload::without_rights_or_pins_everything_works,
    backend::data_crosses_a_chain_by_af_xdp,
    backend::a_restarted_or_killed_node_leaves_no_program,
    backend::interfaces_that_cannot_have_af_xdp_say_why_and_carry_the_mesh,
    backend::backend_and_offload_make_room_for_each_other,
    bridge::clients_behind_bridges_reach_each_other,
    bridge::a_client_that_moves_is_reachable_again,
    lan::dhcp_crosses_three_hops,
    lan::arp_is_answered_once_across_three_hops,
    lan::ipv6_hosts_configure_themselves_across_three_hops,
    lan::ipv6_hosts_find_the_router_radvd_across_three_hops,
    groups::mcast_36_a_stream_to_a_group_reaches_who_joined_and_nobody_else => first,
    groups::mcast_17_a_flood_of_memberships_takes_no_place_from_clients => first,
    ipv6::nd_11_nd_15_a_resolved_neighbour_costs_nothing_on_the_air,
    ipv6::nd_06_nd_07_nd_08_a_host_with_another_mac_is_found_again => first,
    lan::mdns_finds_a_service_across_three_hops,
    lan::a_transfer_goes_on_while_the_phone_walks,
    gateways::bla_107_bla_118_three_gateways_on_one_lan => first,
    broadcast::broadcasts_pass_at_once_after_start,
    broadcast::a_broadcast_arrives_once_over_a_ring,
    broadcast::fwd_94_a_broadcast_arrives_once_over_a_ring_of_several_workers,
    workers::several_workers_forward_and_their_statistics_add_up,
    workers::several_workers_go_on_after_flaps_and_new_mtus,
    workers::several_workers_forward_what_comes_by_af_xdp,
    workers::tp_10_the_throughput_meter_measures_nodes_of_several_workers,
    fragments::fwd_114_packets_of_every_size_cross_two_hops,
    fragments::a_link_with_a_small_mtu_in_the_middle_is_crossed,
    fragments::fwd_116_each_link_is_smaller_than_the_one_before,
    fragments::a_large_mesh_mtu_is_carried_in_many_fragments,
    fragments::fwd_113_a_switch_that_drops_long_frames_is_found_out,
    fragments::clamped_tcp_is_never_cut,
    segmentation::tcp_arrives_whole_with_offload_and_without,
    segmentation::tcp_between_hosts_behind_bridges_arrives_whole,
    fragments::the_mtu_of_a_link_changes_while_the_node_runs,
    interfaces::a_link_that_goes_down_is_used_again_when_it_is_up,
    interfaces::a_primary_interface_that_goes_down_does_not_silence_the_node,
    interfaces::a_vanished_interface_is_used_again_when_it_is_back,
    interfaces::the_address_of_a_hard_interface_changes,
    interfaces::the_mesh_interface_gets_another_address_and_mtu,
    interfaces::a_deleted_mesh_interface_ends_the_node_with_a_sentence,
    interfaces::a_vlan_interface_carries_a_mesh_of_its_own,
    interfaces::fwd_09_two_interfaces_with_one_address_are_told,
    interfaces::a_bridge_that_gets_the_mesh_interface_as_a_port_carries_no_mesh,
    interfaces::fwd_17_links_too_short_for_the_mesh_interface_are_warned_about,
    interfaces::of_two_nodes_that_wait_for_one_interface_one_gets_it,
    interfaces::a_tagged_frame_is_no_mesh_frame,
    interfaces::mgmt_09_mgmt_28_interfaces_are_added_and_taken_out_while_frames_run,
    gateway::gw_27_gw_63_gw_77_a_dead_gateway_is_replaced_in_five_seconds => alone,
    hostile::bad_frames_are_dropped_counted_and_not_multiplied,
    hostile::invented_originators_fill_a_table_and_no_more,
    lan_attacks::odd_and_hostile_frames_of_a_lan_client_stop_nobody,
    learning::tt_35_all_clients_that_speak_in_one_second_are_announced => alone,
    learning::tt_17_a_million_made_up_clients_fill_a_table_and_no_more => alone,
    listeners::rubbish_at_the_control_socket_holds_nobody_up,
    listeners::a_control_client_that_never_reads_loses_its_connection,
    listeners::a_log_that_nobody_takes_stops_nothing => first,
    commands::mgmt_29_mgmt_45_the_tables_look_like_batctls,
    commands::mgmt_31_json_has_batctls_keys,
    commands::icmp_25_icmp_28_ping_and_traceroute_tell_how_it_went => alone,
    commands::without_a_node_or_an_interface_there_is_a_sentence,
    tools::tp_23_tp_43_the_throughput_meter_measures_and_can_be_stopped,
    tools::tp_06_tp_21_who_does_not_answer_is_told_in_time,
    tools::mgmt_33_mgmt_42_frames_are_captured_and_shown,
    why::iv_73_iv_74_iv_76_a_change_of_the_route_is_explained,
    why::v_67_a_change_of_the_route_is_explained,
    why::an_unknown_address_is_told_in_one_sentence,
    settings::mgmt_12_settings_change_while_frames_run_and_none_is_lost,
    settings::mgmt_13_mgmt_14_mgmt_27_batctls_words_work,
    settings::mgmt_14_mgmt_31_each_vlan_has_its_settings,
    settings::tt_21_tt_121_clients_behind_isolated_bridge_ports_are_kept_apart,
    start::an_unsuitable_interface_is_refused_in_one_sentence,
    start::a_taken_mesh_is_refused_in_one_sentence,
    start::a_tap_of_another_program_is_not_taken_over,
    start::wrong_settings_are_told_in_one_sentence,
    start::an_ordinary_user_is_told_what_to_do,
    start::a_stopped_node_leaves_nothing,
    start::a_start_that_fails_half_way_leaves_nothing,
    start::an_idle_node_is_small => alone,
    soak::each_frame_of_a_short_flood_is_forwarded_or_counted,
    soak::frames_at_full_rate_are_all_counted_whatever_happens => alone,
    demo::demo_lan_shows_what_it_says => alone,
    scripts::the_scripts_build_a_chain_and_a_diamond_and_take_them_down,
];

/// Runs the cases: all of them side by side, or those that the command line names one after the other.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let (backend, wanted) = match arguments {
        [flag, backend, wanted @ ..] if flag == "--backend" => (backend.as_str(), wanted),
        wanted => ("", wanted),
    };
    if !["", "auto", "packet", "xdp"].contains(&backend) {
        return Err(BadUse::because(format!("--backend wants auto, packet or xdp, not {backend}")));
    }
    let program = program::noctule()?;
    let environment =
        [(program::VARIABLE, program.as_os_str()), (node::BACKEND, OsStr::new(backend))];
    if wanted.is_empty() {
        return SideBySide { verb: "netns", environment: &environment }.run(CASES);
    }
    if let Side::Outside(code) = enclose(&environment)? {
        return Ok(code);
    }
    cases::run(CASES, wanted)
}

/// The program under test.
fn program_path() -> Result<PathBuf> {
    let path = std::env::var_os(program::VARIABLE).context("no program was handed in")?;
    Ok(PathBuf::from(path))
}

/// A laboratory, and `names` as nodes that do not run yet.
fn nodes(names: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let lab = Lab::new("netns")?;
    let path = program_path()?;
    let nodes = names.iter().zip(1..).map(|(name, number)| Node::new(&lab, &path, name, number));
    let nodes = nodes.collect::<Result<_>>()?;
    Ok((lab, nodes))
}

/// The same, linked to a chain and running with an OGM each 200 ms.
fn chain(names: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let (lab, mut nodes) = nodes(names)?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&QUICK)?;
    }
    Ok((lab, nodes))
}

/// Settings with which a route is there in a second, and broadcasts of a LAN that one node is bridged to pass at once.
const QUICK: [&str; 3] = ["--orig-interval", "200", "--no-bridge-loop-avoidance"];

/// An address as people write it.
fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Replaces an address wherever it stands in a frame.
fn replace_address(frame: &mut [u8], old: [u8; 6], new: [u8; 6]) {
    for at in 0..frame.len().saturating_sub(5) {
        if frame[at..at + 6] == old {
            frame[at..at + 6].copy_from_slice(&new);
        }
    }
}
