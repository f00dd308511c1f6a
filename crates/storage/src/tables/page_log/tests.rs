//! Pages under power cuts, moves and damage, against a plain map.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::journal::LyingDisk;
use crate::tables::memory::MemoryKeyValue;

const SMALL: u64 = 4_000;

type Log = PageLog<MemoryKeyValue, LyingDisk>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(kv: &MemoryKeyValue, disk: &LyingDisk) -> Result<Log, KeyValueError> {
    PageLog::with_files_of(SMALL, kv.clone(), disk.clone())
}

fn all(log: &dyn KeyValue) -> Model {
    let mut all = Model::new();
    log.scan(b"p", b"q", &mut |key, value| {
        all.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

/// A page of so many bytes, and no two alike.
fn a_page(nonce: u32, bytes: usize) -> Vec<u8> {
    nonce.to_le_bytes().into_iter().cycle().take(bytes).collect()
}

struct Dice(u32);

impl Dice {
    fn below(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (self.0 >> 8) % sides
    }

    fn batch(&mut self) -> Batch {
        let pairs: BTreeMap<_, _> = (0..1 + self.below(12))
            .map(|_| {
                let key = format!("p{:03}", self.below(60)).into_bytes();
                let page = a_page(self.below(u32::MAX), 100 + self.below(300) as usize);
                (key, (self.below(4) > 0).then_some(page))
            })
            .collect();
        pairs.into_iter().collect()
    }
}

fn apply(model: &mut Model, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

#[test]
fn whatever_a_power_cut_takes_the_pages_of_the_batches_that_are_left_are_whole() {
    let (mut taken_back, mut removed) = (0, 0);
    for seed in 0..200 {
        let (kv, disk) = (MemoryKeyValue::new(), LyingDisk::new(seed.into()));
        let mut dice = Dice(seed);
        let mut flushed = Model::new();
        for life in 0..6 {
            let log = open(&kv, &disk).unwrap();
            // As flushed, and after each batch since; a move of pages is a batch of its own.
            let mut models = vec![flushed.clone()];
            let mut batches = vec![0];
            for _ in 0..30 + dice.below(20) {
                let batch = dice.batch();
                let mut model = models.last().unwrap().clone();
                apply(&mut model, &batch);
                let before = kv.unflushed();
                log.apply_batch(&batch).unwrap();
                batches.extend((before..kv.unflushed()).map(|_| models.len()));
                models.push(model);
                if dice.below(9) == 0 {
                    log.flush().unwrap();
                    (models, batches) = (vec![models.pop().unwrap()], vec![0]);
                }
            }
            assert_eq!(&all(&log), models.last().unwrap(), "seed {seed}, life {life}");
            let next = log.writer().next as usize;
            removed += next - disk.names().len();
            drop(log);
            if dice.below(4) == 0 {
                // Only the process dies, and is started once more before the power goes.
                disk.restart();
                drop(open(&kv, &disk).unwrap());
                if kv.unflushed() == 0 {
                    (models, batches) = (vec![models.pop().unwrap()], vec![0]);
                }
            }
            let kept = dice.below(u32::try_from(batches.len()).unwrap()) as usize;
            taken_back += batches.len() - 1 - kept;
            disk.power_cut();
            kv.crash(kept);
            let log = open(&kv, &disk).unwrap();
            flushed = models.swap_remove(batches[kept]);
            assert_eq!(all(&log), flushed, "seed {seed}, life {life}");
            kv.flush().unwrap();
        }
    }
    assert!(taken_back > 1_000 && removed > 1_000, "{taken_back} batches, {removed} files");
}

#[test]
fn what_is_unused_is_given_back_while_pages_are_written() {
    let (kv, disk) = (MemoryKeyValue::new(), LyingDisk::new(1));
    let log = open(&kv, &disk).unwrap();
    let put = |range: std::ops::Range<u32>, nonce: u32| {
        let pair = |n: u32| (format!("p{n:04}").into_bytes(), Some(a_page(nonce + n, 200)));
        log.apply_batch(&range.map(pair).collect()).unwrap();
    };
    // Some that stay, in many files, and one that is written again and again.
    for nonce in 0..100 {
        put(nonce * 2..nonce * 2 + 1, nonce);
        for _ in 0..20 {
            put(999..1_000, nonce);
        }
        log.flush().unwrap();
    }
    let live = log.writer().live.total();
    assert_eq!(live, 101 * 200);
    let bytes: usize = disk.names().iter().map(|name| disk.content(name).len()).sum();
    let bytes = u64::try_from(bytes).unwrap();
    assert!(bytes <= 2 * live * 207 / 200 + 3 * SMALL, "{bytes} bytes for {live}");
    let metered = log.size_on_disk().unwrap();
    assert_eq!(metered, bytes);
}

#[test]
fn pages_that_an_earlier_release_kept_in_the_store_are_read_and_replaced() {
    let (kv, disk) = (MemoryKeyValue::new(), LyingDisk::new(1));
    let old: Batch = vec![(b"pa".to_vec(), Some(vec![1, 7])), (b"pb".to_vec(), Some(vec![1, 8]))];
    kv.apply_batch(&old).unwrap();
    let log = open(&kv, &disk).unwrap();
    assert_eq!(log.get(b"pa").unwrap().as_deref(), Some(&[1, 7][..]));
    log.apply_batch(&vec![(b"pa".to_vec(), Some(vec![1, 9])), (b"pb".to_vec(), None)]).unwrap();
    assert_eq!(all(&log), Model::from([(b"pa".to_vec(), vec![1, 9])]));
    assert_eq!(log.writer().live.total(), 2);
}

#[test]
fn whoever_reads_while_pages_move_finds_every_one() {
    let (kv, disk) = (MemoryKeyValue::new(), LyingDisk::new(1));
    let log = open(&kv, &disk).unwrap();
    let keys: Vec<Vec<u8>> = (0..20).map(|n| format!("p{n:02}").into_bytes()).collect();
    let put = |keys: &[Vec<u8>], nonce| {
        let pair = |key: &Vec<u8>| (key.clone(), Some(a_page(nonce, 300)));
        log.apply_batch(&keys.iter().map(pair).collect()).unwrap();
        log.flush().unwrap();
    };
    put(&keys, 0);
    let is_over = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                for key in &keys {
                    let page = log.get(key).unwrap().expect("it is never gone");
                    let (at, same) = log.at_or_before(key).unwrap().expect("nor this one");
                    assert_eq!((&at[..], page.len(), same.len()), (&key[..], 300, 300));
                }
                assert_eq!(all(&log).len(), keys.len());
                reads += 1;
            }
            reads
        });
        for nonce in 1..3_000 {
            put(&keys[..3], nonce);
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 0 && log.writer().next > 100, "{reads} rounds of reading");
}

/// Twenty pages in one file.
fn written() -> (MemoryKeyValue, LyingDisk) {
    let (kv, disk) = (MemoryKeyValue::new(), LyingDisk::new(1));
    let log = PageLog::open(kv.clone(), disk.clone()).unwrap();
    let pairs = (0..20).map(|n| (format!("p{n:02}").into_bytes(), Some(a_page(n, 300))));
    log.apply_batch(&pairs.collect()).unwrap();
    log.flush().unwrap();
    (kv, disk)
}

/// All but the first five of them, anew.
fn rewrite(log: &Log, nonce: u32) -> Result<(), KeyValueError> {
    let pairs = (5..20).map(|k| (format!("p{k:02}").into_bytes(), Some(a_page(nonce, 300))));
    log.apply_batch(&pairs.collect())
}

#[test]
fn files_that_are_missing_cut_off_or_damaged_are_told() {
    let told = |result: Result<(), KeyValueError>| match result {
        Err(KeyValueError::Damaged { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    };
    let (kv, disk) = written();
    let name = disk.names().pop().unwrap();
    disk.remove(&name).unwrap();
    assert_eq!(told(open(&kv, &disk).map(drop)), "file 0 of pages is not there");

    let (kv, disk) = written();
    disk.damage(&name, Some(disk.content(&name)[..1_000].to_vec()));
    let log = open(&kv, &disk).unwrap();
    assert_eq!(told(log.get(b"p19").map(drop)), "file 0 of pages is cut off");

    let (kv, disk) = written();
    kv.damage(b"p03", |place| place[2] ^= 1);
    assert_eq!(
        told(open(&kv, &disk).unwrap().get(b"p03").map(drop)),
        "where a page lies cannot be read"
    );

    let (kv, disk) = written();
    kv.damage(b"l\0\0\0\0", |count| count[1] ^= 1);
    assert_eq!(told(open(&kv, &disk).map(drop)), "how much of file 0 is used cannot be read");

    // A place that is lost is missed when the others have moved.
    let (kv, disk) = written();
    kv.apply_batch(&vec![(b"p03".to_vec(), None)]).unwrap();
    let log = open(&kv, &disk).unwrap();
    assert_eq!(
        told((0..9).try_for_each(|n| rewrite(&log, n))),
        "file 0 has other pages than were counted"
    );
}

#[test]
fn damage_between_the_pages_of_a_file_does_no_harm() {
    let at_most = {
        let (_, disk) = written();
        disk.content(&disk.names()[0]).len()
    };
    // The length of a record and its key, of the first one and of one in the middle.
    for at in [0, 1, 2, 3, 4, 5, 7].into_iter().flat_map(|at| [at, at + 2 * 308]) {
        assert!(at < at_most);
        let (kv, disk) = written();
        let name = disk.names().pop().unwrap();
        let mut content = disk.content(&name);
        content[at] ^= 1;
        disk.damage(&name, Some(content));
        let log = open(&kv, &disk).unwrap();
        (0..9).try_for_each(|n| rewrite(&log, n)).unwrap();
        log.flush().unwrap();
        assert!(!disk.names().contains(&name), "byte {at}: its pages have moved");
        let expected =
            |n: u32| (format!("p{n:02}").into_bytes(), a_page(if n < 5 { n } else { 8 }, 300));
        assert_eq!(all(&log), (0..20).map(expected).collect(), "byte {at}");
    }
}
