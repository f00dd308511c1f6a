#!/usr/bin/env python3
"""Makes golden.csv: votes of an invented crowd and what crowd-kit makes of them.

    python3 -m venv v && v/bin/pip install crowd-kit==1.4.2 && v/bin/python golden.py > golden.csv

One line a vote: task, worker, class, and of its task the majority's class (-1 for a tie),
Dawid-Skene's class and its probability.
"""
import random

import pandas as pd
from crowdkit.aggregation import DawidSkene, MajorityVote

random.seed(5)
TASKS, WORKERS, CLASSES = 60, 12, 4
skill = [random.choice([0.25, 0.55, 0.75, 0.9]) for _ in range(WORKERS)]
rows = []
for task in range(1, TASKS + 1):
    truth = random.choice([0, 0, 1, 2, 3])
    for worker in sorted(random.sample(range(1, WORKERS + 1), 5)):
        right = random.random() < skill[worker - 1]
        wrong = [c for c in range(CLASSES) if c != truth]
        rows.append((task, worker, truth if right else random.choice(wrong + wrong[:1])))
frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
model = DawidSkene(n_iter=100).fit(frame)
shares = MajorityVote().fit(frame).probas_
print("task,worker,class,majority,dawid_skene,probability")
for task, worker, label in rows:
    best = shares.loc[task]
    leaders = list(best.index[best == best.max()])
    majority = leaders[0] if len(leaders) == 1 else -1
    answer = model.labels_[task]
    print(f"{task},{worker},{label},{majority},{answer},{model.probas_.loc[task, answer]:.6f}")
