//! Running a node: every check first, then everything that is made, then the threads; and all of it undone at the end,
//! whichever way the end comes.

use crate::backends::Backends;
use crate::clock::{self, Clock};
use crate::control_socket::{Acceptor, Hub, QUESTIONS_MAX, Service};
use crate::instance::{Instance, NoInstance};
use crate::netlink::{
    self, BadInterface, BridgePorts, Links, MESH_ALIAS, Monitor, MulticastMonitor, Setter,
    Speedometer, check_hard_interface, is_held_by_another, other_meshes,
};
use crate::node::{
    End, MULTICAST_PERIOD, MeshInterface, Meters, Node, Ports, Probes, Rest, WithoutGateway,
    derived_mac, locally_administered, offload,
};
use crate::offload::Offload;
use crate::power;
use crate::settings::{BackendChoice, BusyPoll, Config, InterfaceConfig, OffloadChoice};
use crate::wake::Wake;
use crate::worker::{self, Command, Linger, Peer, Worker, WorkerLine, Workers};
use crate::{entropy, log, rights};
use crossbeam_channel::{bounded, unbounded};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use noctule_control::Engine;
use noctule_dataplane::Pipeline;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::tap::Tap;
use noctule_fib::{Counters, HashKey, VlanSet, Writer};
use noctule_wire::{Instant, Mac};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tracing::{info, warn};

/// Hints that wait for the engine; what comes when it is full is lost, and comes again with the client's next frame.
const HINTS_MAX: usize = 1024;
/// Of the worker's thread.
const WORKER_STACK_LEN: usize = 256 * 1024;
/// With fewer processors one worker is left the field: engine, kernel and programs want the others. Caution, not a measurement.
const AUTO_PROCESSORS_MIN: usize = 4;
/// More workers than this take memory that a node rarely has a use for: somebody has to ask for them.
const AUTO_WORKERS_MAX: usize = 4;
/// MTU of the mesh interface until the links are known.
const MESH_MTU_FIRST: u32 = 1500;

/// Why a node does not run (any more). Each is one sentence with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was not started, and nothing on the system has changed.
    #[error("{0}")]
    NotStarted(String),
    /// It had to end.
    #[error("{0}")]
    Ended(String),
}

/// Runs a node until it is told to stop by SIGTERM, SIGINT or SIGHUP. Call it on the main thread, before there are others.
///
/// # Errors
/// [`Failure`].
pub fn run(config: Config) -> Result<(), Failure> {
    // A thread that panics must not leave half a node behind: the kernel then removes what the process made.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let signals = block_signals().map_err(Failure::NotStarted)?;
    rights::check().map_err(Failure::NotStarted)?;
    let links = netlink::list().map_err(|error| {
        Failure::NotStarted(format!("cannot list the network interfaces: {error}"))
    })?;
    check_links(&config, &links).map_err(Failure::NotStarted)?;
    let served = Instance::lock(&config.socket).and_then(|instance| {
        let (listener, bound) = instance.bind(&config.socket)?;
        Ok((instance, listener, bound))
    });
    let (served, unserved) = match served {
        Ok(served) => (Some(served), None),
        // The mesh can do without somebody looking at it.
        Err(NoInstance::Unwritable(sentence)) if !config.socket_given => (None, Some(sentence)),
        Err(NoInstance::Unwritable(sentence) | NoInstance::Wrong(sentence)) => {
            return Err(Failure::NotStarted(sentence));
        }
    };
    let made = start(config, signals, &links).map_err(Failure::NotStarted)?;
    let Started { mut node, workers, service, log } = made;
    if let Some(sentence) = unserved {
        warn!("runs without a control socket: {sentence}");
    }
    let (instance, acceptor, bound) = match served {
        Some((instance, listener, bound)) => {
            let acceptor = Acceptor::start(listener, service)
                .map_err(|error| Failure::NotStarted(format!("cannot start a thread: {error}")))?;
            (Some(instance), Some(acceptor), Some(bound))
        }
        None => (None, None, None),
    };

    let end = node.attach_all().map(|()| node.run());

    // In this order: nobody asks any more, nobody forwards any more, and only then the mesh interface goes.
    drop(acceptor);
    node.workers.tell_all(|| Command::Stop);
    for worker in workers {
        let _ = worker.join();
    }
    node.leave_lan();
    let mesh = node.mesh.name.clone();
    node.stop();
    drop(bound);
    drop(instance);
    let result = match end {
        Ok(End::Signal(signal)) => {
            info!(signal, "stops");
            Ok(())
        }
        Ok(End::MeshInterfaceGone) => Err(Failure::Ended(format!(
            "{mesh} was deleted by somebody else: start noctule again to have it back"
        ))),
        Err(sentence) => Err(Failure::NotStarted(sentence)),
    };
    drop(log);
    result
}

/// What [`start`] made.
struct Started {
    node: Node,
    workers: Vec<thread::JoinHandle<()>>,
    service: Service,
    log: log::Log,
}

/// Makes the mesh interface and the workers.
fn start(config: Config, signals: SignalFd, links: &Links) -> Result<Started, String> {
    let cannot = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("cannot {what}: {error}")
    };
    let clock = Clock::start();
    let wall = clock::wall_clock();
    let hash_key = HashKey(entropy::pair().map_err(cannot("read random numbers"))?);
    let [seed, other_seed] = entropy::pair().map_err(cannot("read random numbers"))?;
    let engine_wake = Wake::new().map_err(cannot("make an eventfd"))?;
    let count = worker_count(config.workers);
    let (mesh, queues) = make_mesh_interface(&config, links, count)?;
    // Not before: what was just set would be taken for somebody else's doing.
    let monitor = Monitor::open().map_err(cannot("watch the network interfaces"))?;
    let (log, verbosity) = log::start(config.log).map_err(cannot("start a thread"))?;
    info!(mesh = %mesh.name, address = %mesh.mac, version = env!("CARGO_PKG_VERSION"), "noctule starts");
    if count > 1 {
        // Fewer queues than workers: the kernel cannot sort what the host sends, and the first worker takes it all.
        info!(workers = count, queues = queues.len(), "several workers forward frames");
    }
    offload(&mesh.tap, config.tap_offload);

    let mut fib = Writer::new(hash_key, other_seed as u16, clock::broadcast_seqno(wall));
    let reader = fib.reader();
    let followed = (fib.reader(), fib.watch());
    // Asked for by name, the backend goes before an offload that was not.
    let mut offload =
        if config.backend == BackendChoice::Xdp && config.offload == OffloadChoice::Auto {
            let because = "the xdp backend takes frames before an offload could";
            Offload::none(config.offload_keep, &config.mesh, because)
        } else {
            Offload::start(config.offload, config.offload_keep, &config.mesh, followed, clock.now())
        };
    if config.offload_hosts {
        offload.attach_host(mesh.ifindex(), &mesh.name);
    }
    let backends = Backends::new(config.backend, offload.is_active());
    let engine_counters = Arc::new(Counters::default());
    let worker_counters: Vec<_> = (0..count).map(|_| Arc::new(Counters::default())).collect();
    let pipelines =
        Pipeline::for_workers(&reader, &worker_counters, PipelineSettings::new(hash_key));
    // What the engine itself cuts is numbered like what the first worker cuts.
    let reader = reader.in_lane(0, count);
    let engine =
        Engine::new(clock.now(), config.engine.clone(), fib, Arc::clone(&engine_counters), seed);

    let (punts, punted) = worker::queue();
    let (hint_in, hints) = bounded(HINTS_MAX);
    let (gone_in, tap_gone) = bounded(1);
    let (question_in, questions) = bounded(QUESTIONS_MAX);
    let linger = Linger::new(busy_poll(config.busy_poll));
    let mut lines = Vec::new();
    let mut peers = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..count {
        let wake = Wake::new().map_err(cannot("make an eventfd"))?;
        let (command_in, commands) = unbounded();
        let (pass_in, passed) = worker::queue();
        lines.push(WorkerLine { commands: command_in, wake: wake.clone() });
        peers.push(Peer::new(pass_in, wake.clone()));
        ends.push((commands, passed, wake));
    }
    let mut workers = Vec::with_capacity(count);
    for (number, (pipeline, (commands, passed, wake))) in
        pipelines.into_iter().zip(ends).enumerate()
    {
        let worker = Worker::new(worker::Parts {
            clock,
            pipeline,
            counters: Arc::clone(&worker_counters[number]),
            tap: Arc::clone(queues.get(number).unwrap_or(&mesh.tap)),
            reads_host: number < queues.len(),
            passed,
            workers: peers.clone(),
            linger,
            commands,
            wake,
            engine: engine_wake.clone(),
            punts: punts.clone(),
            hints: hint_in.clone(),
            tap_gone: gone_in.clone(),
        });
        let thread = thread::Builder::new()
            .name(format!("worker {number}"))
            .stack_size(WORKER_STACK_LEN)
            .spawn(move || worker.run())
            .map_err(cannot("start a thread"))?;
        workers.push(thread);
    }
    let account = offload.account();
    let mut node = Node {
        clock,
        ports: Ports::new(&config.interfaces),
        offload,
        backends,
        config,
        engine,
        fib: reader,
        counters: Arc::clone(&engine_counters),
        mesh,
        workers: Workers(lines),
        punted,
        hints,
        questions,
        probes: Probes::default(),
        meters: Meters::default(),
        verbosity,
        hub: Hub::default(),
        without_gateway: WithoutGateway::new(Arc::clone(&worker_counters[0])),
        wake: engine_wake.clone(),
        signals,
        monitor,
        speedometer: Speedometer::default(),
        tap_gone,
        multicast: MulticastMonitor::open().map_err(cannot("watch the multicast memberships"))?,
        multicast_at: clock.now() + MULTICAST_PERIOD,
        bridged: false,
        bridge_ports: BridgePorts::default(),
        bridges_seen: Instant::ZERO,
        control_rest: Rest::default(),
        control_buffer: Vec::new(),
        next_drops: Instant::ZERO,
        retry_at: None,
        table_full_logged: None,
    };
    node.tell_mesh_interface();
    let service = Service {
        questions: question_in,
        engine: engine_wake,
        counters: [vec![engine_counters], worker_counters, vec![account.counters()]].concat(),
        account,
    };
    Ok(Started { node, workers, service, log })
}

/// Signals are read from a descriptor by the engine thread; all threads started later inherit the mask.
fn block_signals() -> Result<SignalFd, String> {
    let wanted: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    wanted.thread_block().map_err(|error| format!("cannot block signals: {error}"))?;
    SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|error| format!("cannot make a signalfd: {error}"))
}

/// Everything about interfaces that can be known before anything is made.
fn check_links(config: &Config, links: &Links) -> Result<(), String> {
    let ours = |name: &str| {
        links.named(name).is_some_and(|link| link.alias.as_deref() == Some(MESH_ALIAS))
    };
    let mesh = &config.mesh;
    if ours(mesh) {
        return Err(format!(
            "{mesh} is the mesh interface of another noctule: stop that, or choose another name with --mesh"
        ));
    }
    if links.named(mesh).is_some() {
        return Err(format!(
            "{mesh} exists already: stop the program that made it, delete it with \"ip link del {mesh}\", or choose another name with --mesh"
        ));
    }
    for InterfaceConfig { name, .. } in &config.interfaces {
        if ours(name) {
            return Err(format!(
                "{name} is the mesh interface of another noctule and cannot carry a mesh: name an Ethernet or Wi-Fi interface"
            ));
        }
        if links.named(name).is_some() || !config.wait {
            let link =
                check_hard_interface(links, name, &[mesh]).map_err(|error| error.to_string())?;
            if is_held_by_another(link.index) {
                let meshes = other_meshes(links, None);
                return Err(BadInterface::Held { name: name.clone(), meshes }.to_string());
            }
        }
    }
    Ok(())
}

/// How many workers there are.
fn worker_count(wanted: Option<u32>) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    match wanted {
        Some(count) => usize::try_from(count).unwrap_or(1),
        None if processors < AUTO_PROCESSORS_MIN => 1,
        None => processors.min(AUTO_WORKERS_MAX),
    }
}

/// How long workers look for more before they sleep: on battery not at all, unless somebody says how long.
fn busy_poll(wanted: BusyPoll) -> BusyPoll {
    if wanted == BusyPoll::Auto && power::on_battery(Path::new(power::SUPPLIES)) {
        info!("busy polling is off: this machine runs on its battery");
        return BusyPoll::Off;
    }
    if wanted != BusyPoll::Off {
        info!(how = ?wanted, "busy polling is on: workers look for more frames before they sleep");
    }
    wanted
}

/// Makes the mesh interface, with a queue for each worker where the kernel can sort what the host sends: its address is the
/// operator's, or one made from the first hard interface's.
fn make_mesh_interface(
    config: &Config,
    links: &Links,
    workers: usize,
) -> Result<(MeshInterface, Vec<Arc<Tap>>), String> {
    let hard = config.interfaces.iter().find_map(|interface| links.named(&interface.name)?.mac);
    let mac: Mac = match (config.mesh_mac, hard) {
        (Some(mac), _) => mac,
        (None, Some(hard)) => derived_mac(hard, &config.mesh),
        (None, None) => locally_administered(
            entropy::bytes().map_err(|error| format!("cannot read random numbers: {error}"))?,
        ),
    };
    let mtu = config.mtu.unwrap_or(MESH_MTU_FIRST);
    let shown = &config.mesh;
    let queues = Tap::open_queues(&config.mesh, workers).map_err(|error| error.to_string())?;
    let queues: Vec<_> = queues.into_iter().map(Arc::new).collect();
    let tap = Arc::clone(&queues[0]);
    let cannot = |what: &str| {
        let sentence = format!("cannot {what} of {shown}");
        move |error: noctule_dataplane::tap::TapError| format!("{sentence}: {error}")
    };
    tap.set_mac(mac).map_err(cannot("set the address"))?;
    tap.set_mtu(mtu).map_err(cannot("set the MTU"))?;
    // So that a second node does not take it for an Ethernet interface.
    Setter::open()
        .map_err(|error| error.to_string())
        .and_then(|mut setter| {
            setter.set_alias(tap.ifindex(), MESH_ALIAS).map_err(|error| error.to_string())
        })
        .map_err(|error| format!("cannot mark {shown} as a mesh interface: {error}"))?;
    tap.set_up(true).map_err(cannot("set the state"))?;
    let mesh = MeshInterface {
        tap,
        name: config.mesh.clone(),
        mac,
        mtu,
        wanted_mtu: config.mtu,
        bridge: None,
        lan: false,
        bridge_vlans: None,
        vlans: VlanSet::default(),
    };
    Ok((mesh, queues))
}
