//! ../act.c in Rust: `cargo run --release policy.minnow`.
use std::os::raw::{c_char, c_void};
use std::{env, ffi::CStr, fs, process, ptr, slice};

#[repr(C)]
#[derive(Default)]
struct Error {
    code: i32,
    index: u32,
    offset: u64,
    found: u64,
    expected: u64,
}

extern "C" {
    fn minnow_message(code: i32) -> *const c_char;
    fn minnow_size(bytes: *const u8, size: usize, error: *mut Error) -> usize;
    fn minnow_load(bytes: *const u8, size: usize, block: *mut u8, need: usize, error: *mut Error) -> *const c_void;
    fn minnow_session_size(policy: *const c_void, agents: u32, flags: u32) -> usize;
    fn minnow_session_init(
        policy: *const c_void, agents: u32, flags: u32, seed: u64, block: *mut u8, need: usize, error: *mut Error,
    ) -> *mut c_void;
    fn minnow_step(session: *mut c_void, obs: *const f32, mask: *const u8) -> i32;
    fn minnow_action(session: *const c_void) -> *const i32;
    fn minnow_logits(session: *const c_void) -> *const f32;
}

const INPUTS: usize = 8;
const CHOICES: usize = 3;

fn main() {
    let path = env::args().nth(1).expect("usage: act FILE");
    let file = fs::read(&path).expect("the policy file"); // must outlive the policy
    let mut error = Error::default();
    unsafe {
        let need = minnow_size(file.as_ptr(), file.len(), &mut error);
        let mut block = vec![0u8; need];
        let policy = minnow_load(file.as_ptr(), file.len(), block.as_mut_ptr(), need, &mut error);
        if policy.is_null() {
            eprintln!("{path}: {}", CStr::from_ptr(minnow_message(error.code)).to_string_lossy());
            process::exit(1);
        }
        let need = minnow_session_size(policy, 1, 0);
        let mut memory = vec![0u8; need];
        let session = minnow_session_init(policy, 1, 0, 42, memory.as_mut_ptr(), need, ptr::null_mut());
        for step in 0..5 {
            let mut obs = [0f32; INPUTS];
            for (i, x) in obs.iter_mut().enumerate() {
                *x = ((7 * step + 3 * i) % 11) as f32 * 0.25 - 1.0;
            }
            assert_eq!(minnow_step(session, obs.as_ptr(), ptr::null()), 0);
            print!("{}", *minnow_action(session));
            for logit in slice::from_raw_parts(minnow_logits(session), CHOICES) {
                print!(" {logit}");
            }
            println!();
        }
    }
}
