"""Appends one row at a time to a Delta table with python deltalake, for a number of seconds, in a number of processes."""
import json, multiprocessing, sys, time


def work(path, seconds, out):
    import pyarrow
    from deltalake import write_deltalake

    row = pyarrow.table({"id": ["x"], "status": ["in_progress"], "at": [1]})
    done = errors = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            write_deltalake(path, row, mode="append")
            done += 1
        except Exception:
            errors += 1
    out.put((done, errors))


if __name__ == "__main__":
    path, processes, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    import pyarrow
    from deltalake import write_deltalake

    write_deltalake(path, pyarrow.table({"id": ["x"], "status": ["pending"], "at": [0]}))
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    workers = [context.Process(target=work, args=(path, seconds, out)) for _ in range(processes)]
    [worker.start() for worker in workers]
    counts = [out.get() for _ in workers]
    [worker.join() for worker in workers]
    print(json.dumps({"per_second": sum(done for done, _ in counts) / seconds, "errors": sum(errors for _, errors in counts)}))
