// What C++ takes by new is seen, since the language's library asks malloc for it.
#include <cstdio>
#include <dlfcn.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include "alloc/alloc_api.h"
}

namespace
{
std::uint32_t ask_operation()
{
    return 6;
}

struct alignas(64) aligned {
    char text[128];
};

void *volatile sink; // without which compilers leave out what nobody looks at

void work()
{
    std::unique_ptr<char[]> bytes(new char[1000]);
    sink = bytes.get();
    std::vector<std::string> texts(10, std::string(100, 'x'));
    std::unique_ptr<aligned> one(new aligned);
    sink = one.get();
    try {
        throw std::runtime_error("taken from the heap as well");
    } catch (const std::exception &) {
    }
}

void see(const fmp_alloc_operation *one, void *opaque)
{
    *static_cast<fmp_alloc_operation *>(opaque) = *one;
}
} // namespace

int main()
{
    const auto *api = static_cast<const fmp_alloc_calls *>(dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL));
    if (!api) {
        std::puts("skipped: libfmprof-alloc.so is not preloaded");
        return 77;
    }
    work(); // what is taken once at the first time
    fmp_alloc_options options{};
    options.interval = 1;
    options.operation = ask_operation;
    if (api->start(&options) != 0)
        return 1;
    work();
    char *kept = new char[777];
    sink = kept;
    api->stop();
    fmp_alloc_operation one{};
    api->each_operation(see, &one);
    std::printf("%llu allocations, %llu bytes, %llu bytes live\n", (unsigned long long)one.count,
                (unsigned long long)one.bytes, (unsigned long long)one.live_bytes);
    // One array, one vector, ten texts and the one they are copied from, one aligned, an exception and its text.
    const bool right = one.operation == 6 && one.live_bytes == 777 && one.live_count == 1 && one.count >= 16 &&
                       one.count <= 18 && one.bytes >= 1000 + 11 * 101 + 10 * sizeof(std::string) + 128 + 777;
    delete[] kept;
    return right ? 0 : 1;
}
