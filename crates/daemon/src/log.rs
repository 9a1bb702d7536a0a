//! The log: lines on stderr that never hold up whoever writes them.
//!
//! A line goes into a bounded queue, and a thread of its own writes it. When the receiver is stuck (a full pipe) or gone
//! (a closed one, a full disk), lines are lost, nothing else.

use crate::settings::LogLevel;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

/// Lines that wait for the receiver; about 100 KiB of text at most.
const LINES_MAX: usize = 512;
/// How long the end of the process waits for the last lines to be written.
const FLUSH_TIME: Duration = Duration::from_millis(300);

/// Keeps the log alive; dropping it writes what still waits.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Option<Sender<Vec<u8>>>,
    done: Receiver<()>,
}

/// Changes what is logged at most, while the node runs.
#[derive(Clone, Debug)]
pub(crate) struct Verbosity {
    level: LogLevel,
    filter: reload::Handle<LevelFilter, Registry>,
}

impl Verbosity {
    pub(crate) const fn level(&self) -> LogLevel {
        self.level
    }

    pub(crate) fn set(&mut self, level: LogLevel) {
        // It can fail only where logging never began.
        let _ = self.filter.reload(filter(level));
        self.level = level;
    }
}

/// Starts logging to stderr, for the whole process. A second call in the same process changes nothing.
pub(crate) fn start(level: LogLevel) -> io::Result<(Log, Verbosity)> {
    let (log, queue) = with_writer(io::stderr())?;
    let (layer, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_writer(queue);
    let subscriber = Registry::default().with(layer).with(lines);
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok((log, Verbosity { level, filter: handle }))
}

fn filter(level: LogLevel) -> LevelFilter {
    LevelFilter::from_level(level.into())
}

fn with_writer(mut out: impl Write + Send + 'static) -> io::Result<(Log, Queue)> {
    let (lines, waiting) = bounded::<Vec<u8>>(LINES_MAX);
    let (finished, done) = bounded(1);
    let lost = Arc::new(AtomicU64::new(0));
    let queue = Queue { lines: lines.clone(), lost: Arc::clone(&lost) };
    thread::Builder::new().name("log".into()).stack_size(64 * 1024).spawn(move || {
        // The sender of an empty line is the owner, who wants to end.
        for line in waiting.iter().take_while(|line| !line.is_empty()) {
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                let _ = writeln!(out, "({missing} lines lost)");
            }
            let _ = out.write_all(&line);
        }
        let _ = out.flush();
        let _ = finished.send(());
    })?;
    Ok((Log { lines: Some(lines), done }, queue))
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(lines) = self.lines.take() {
            let _ = lines.send_timeout(Vec::new(), FLUSH_TIME);
            let _ = self.done.recv_timeout(FLUSH_TIME);
        }
    }
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Takes finished lines and never fails.
#[derive(Clone, Debug)]
struct Queue {
    lines: Sender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !line.is_empty() && self.lines.try_send(line.to_vec()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc;

    /// A receiver that takes nothing until it is let go.
    struct Stuck {
        /// Told when the first line has been taken off the queue.
        stuck: mpsc::Sender<()>,
        go: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.stuck.send(());
            let _ = self.go.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A receiver that is gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_stuck_receiver_holds_nobody_up_and_learns_what_it_missed() {
        let (release, go) = mpsc::channel();
        let (stuck, is_stuck) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (log, mut queue) =
            with_writer(Stuck { stuck, go, written: Arc::clone(&written) }).unwrap();
        for line in 0..LINES_MAX * 3 {
            // In one piece, as the subscriber writes: `writeln!` would queue each part as a line.
            queue.write_all(format!("line {line}\n").as_bytes()).unwrap();
            if line == 0 {
                // A line that got through later would take the number of those lost with it.
                is_stuck.recv_timeout(Duration::from_secs(60)).unwrap();
            }
        }
        assert!(queue.lost.load(Ordering::Relaxed) >= LINES_MAX as u64, "lost, not waited for");
        drop(release);
        // With the receiver going again, the end of the log waits for the queue to empty.
        let done = log.done.clone();
        drop(log);
        let _ = done.recv_timeout(Duration::from_secs(10));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.contains("line 0\n"), "{text}");
        assert!(text.contains("lines lost)\n"), "{text}");
    }

    #[test]
    fn a_receiver_that_is_gone_is_no_error() {
        let (log, mut queue) = with_writer(Gone).unwrap();
        for _ in 0..LINES_MAX * 2 {
            queue.write_all(b"line\n").unwrap();
        }
        drop(log);
    }
}
