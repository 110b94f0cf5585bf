//! What a process gives up before it looks at foreign SQL.
//!
//! Three layers, each for what the others leave: limits of the process (memory, time, files written), system calls it
//! never needs (network, programs, other processes, opening for writing), and, where the kernel can, every path but
//! those of its task. The settings of the query engine are a fourth.

use anyhow::{Context, Result, bail};
use landlock::{ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Address space besides the query engine's memory: the program itself, stacks, what the engine does not count.
const BESIDES: u64 = 1 << 30;
/// Open files besides those of the task.
const FILES: u64 = 64;

/// Dies when the process that started it does.
pub(super) fn die_with(parent: u32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may be gone already.
    if getppid().map(Pid::as_raw_pid) != i32::try_from(parent).ok() {
        bail!("the server has ended");
    }
    Ok(())
}

/// Takes no more than its share.
pub(super) fn limit(memory_bytes: u64, seconds: u64, files: usize) -> Result<()> {
    set(Resource::As, memory_bytes + BESIDES)?;
    set(Resource::Cpu, seconds)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Core, 0)?;
    set(Resource::Nofile, files as u64 + FILES)?;
    // Where memory is short, this process goes before the server does.
    _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

fn set(resource: Resource, wanted: u64) -> Result<()> {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(most));
    setrlimit(resource, Rlimit { current: limit, maximum: limit }).with_context(|| format!("limit of {resource:?}"))
}

/// Can open these files for reading, and do nothing else to the world.
pub(super) fn close_doors(files: &[&Path]) -> Result<()> {
    let abi = ABI::V5;
    let mut rules =
        Ruleset::default().handle_access(AccessFs::from_all(abi))?.handle_access(AccessNet::from_all(abi))?.create()?;
    for file in files {
        // One that is gone is the engine's to report.
        if let Ok(opened) = PathFd::new(file) {
            rules = rules.add_rule(PathBeneath::new(opened, AccessFs::ReadFile))?;
        }
    }
    // Older kernels have none of this, or less; what follows holds on all.
    rules.restrict_self()?;
    filter(libc::ENOSYS, [(libc::SYS_clone3, Vec::new()), (libc::SYS_openat2, Vec::new())].into())?;
    filter(libc::EPERM, forbidden()?)
}

fn filter(errno: i32, rules: BTreeMap<i64, Vec<SeccompRule>>) -> Result<()> {
    let arch = std::env::consts::ARCH.try_into()?;
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// System calls that are refused; with rules, only where one of them holds.
fn forbidden() -> Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    // Threads, but no processes.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![bits(0, SeccompCmpArgLen::Qword, thread, 0)?]);
    rules.insert(libc::SYS_openat, writing(2)?);
    #[cfg(target_arch = "x86_64")]
    {
        rules.insert(libc::SYS_open, writing(1)?);
        let older = [
            libc::SYS_creat,
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_unlink,
            libc::SYS_rmdir,
            libc::SYS_mkdir,
            libc::SYS_mknod,
            libc::SYS_rename,
            libc::SYS_link,
            libc::SYS_symlink,
            libc::SYS_chmod,
            libc::SYS_chown,
            libc::SYS_lchown,
            libc::SYS_utime,
            libc::SYS_utimes,
        ];
        rules.extend(older.map(|call| (call, Vec::new())));
    }
    Ok(rules)
}

/// Opening for anything but reading.
fn writing(argument: u8) -> Result<Vec<SeccompRule>> {
    let flag = |mask: i32, value: i32| bits(argument, SeccompCmpArgLen::Dword, mask as u64, value as u64);
    Ok(vec![
        flag(libc::O_ACCMODE, libc::O_WRONLY)?,
        flag(libc::O_ACCMODE, libc::O_RDWR)?,
        flag(libc::O_ACCMODE, libc::O_ACCMODE)?,
        flag(libc::O_CREAT, libc::O_CREAT)?,
        flag(libc::O_TRUNC, libc::O_TRUNC)?,
    ])
}

fn bits(argument: u8, length: SeccompCmpArgLen, mask: u64, value: u64) -> Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, length, SeccompCmpOp::MaskedEq(mask), value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// What a query engine that reads files has no use for.
const NEVER: [i64; 57] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_memfd_create,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
];
