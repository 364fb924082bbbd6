//! The pieces of a request that is answered from memory, by themselves.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use markt_domain::session::{SessionId, SessionSecret};

const SECRET: &str = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

fn secrets(criterion: &mut Criterion) {
    criterion.bench_function("a secret is parsed", |bencher| {
        bencher.iter(|| SessionSecret::parse(black_box(SECRET)));
    });
    if let Ok(secret) = SessionSecret::parse(SECRET) {
        criterion.bench_function("a secret's id is taken", |bencher| bencher.iter(|| black_box(&secret).id()));
        let id = secret.id();
        criterion.bench_function("an id is written", |bencher| bencher.iter(|| black_box(&id).to_string()));
        let text = id.to_string();
        criterion.bench_function("an id is read", |bencher| bencher.iter(|| black_box(&text).parse::<SessionId>()));
    }
}

criterion_group!(hit_path, secrets);
criterion_main!(hit_path);
