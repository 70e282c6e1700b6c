/*
 * What fmprof.hpp promises: scopes end with their block, on exceptions too;
 * contexts likewise. Prints "category/operation count total_ns self_ns" for
 * every operation, by name, and how many exceptions were caught.
 */
#include <cstdio>
#include <stdexcept>
#include <thread>

#include <fmprof/fmprof.hpp>

namespace {

volatile double sink;

void work()
{
    double sum = 0;
    for (int i = 1; i < 3000; i++)
        sum += 1.0 / i;
    sink = sum;
}

void thrower(bool fail)
{
    FMP_SCOPE("TEST", "thrower");
    work();
    if (fail)
        throw std::runtime_error("as told");
}

/* Four scopes of one site are open when the exception leaves them. */
void descend(int depth, bool fail)
{
    FMP_SCOPE("TEST", "descend");
    work();
    if (depth > 1)
        descend(depth - 1, fail);
    else if (fail)
        throw std::runtime_error("from below");
}

void after()
{
    FMP_SCOPE("TEST", "after");
    work();
}

int outer(int number)
{
    FMP_SCOPE("TEST", "outer");
    int caught = 0;
    if (number % 2) {
        try {
            thrower(true);
        } catch (const std::runtime_error &) {
            caught++;
        }
    }
    try {
        descend(4, number % 2 == 0);
    } catch (const std::runtime_error &) {
    }
    after();
    return caught;
}

void shared()
{
    FMP_SCOPE("TEST", "shared");
    work();
}

void in_context(bool fail)
{
    FMP_CONTEXT("AU_");
    shared();
    if (fail)
        throw std::runtime_error("out of the context");
}

/* A site found beforehand, as a member of an object has it. */
class Stage {
public:
    void step()
    {
        FMP_SCOPE_SITE(site_);
        work();
    }

private:
    const fmp_site *site_ = fmp_site_get("TEST", "member");
};

template <typename T> void worker(T)
{
    FMP_SCOPE("TEST", "worker"); /* two sites of one name: one operation */
    work();
}

void run_worker()
{
    fmp_thread_name("worker \"\xc3\xa9\"");
    worker(1);
    worker(1.0);
}

} // namespace

int main()
{
    int caught = 0;
    for (int i = 0; i < 10; i++)
        caught += outer(i);
    in_context(false);
    try {
        in_context(true);
    } catch (const std::runtime_error &) {
    }
    shared(); /* the context has ended */
    {
        FMP_SCOPE_MEASURING("TEST", "measured", FMP_MEASURE_CPU | FMP_MEASURE_MEMORY);
        work();
    }
    Stage stage;
    for (int i = 0; i < 3; i++)
        stage.step();
    std::thread(run_worker).join();

    fmp_snapshot *snapshot = fmp_snapshot_take();
    if (!snapshot)
        return 1;
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation &o = snapshot->operations[i];
        std::printf("%s/%s %llu %llu %llu\n", o.category, o.operation, static_cast<unsigned long long>(o.count),
                    static_cast<unsigned long long>(o.total_ns), static_cast<unsigned long long>(o.self_ns));
    }
    std::printf("caught %d, lost %llu\n", caught, static_cast<unsigned long long>(snapshot->lost));
    fmp_snapshot_free(&snapshot);
    return 0;
}
