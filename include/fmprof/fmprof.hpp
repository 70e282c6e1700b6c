/*
 * libfmprof for C++: scopes that end with their block, and on exceptions.
 *
 *     void infer() {
 *         FMP_SCOPE("MODEL_INFERENCE", "FaceMesh_onnx_cpu");
 *         ...
 *     }
 */
#ifndef FMPROF_FMPROF_HPP
#define FMPROF_FMPROF_HPP

#include "fmprof.h"

namespace fmprof {

class Scope {
public:
    /* site: nullptr records nothing. */
    explicit Scope(const fmp_site *site) noexcept
    {
        if (site)
            fmp_scope_begin(&scope_, site);
        else
            scope_.site = nullptr;
    }
    ~Scope() { fmp_scope_end(&scope_); }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

private:
    fmp_scope scope_;
};

/* Puts a context in force until the end of the block. */
class Context {
public:
    explicit Context(const fmp_context *context) noexcept : before_(fmp_context_set(context)) {}
    ~Context() { fmp_context_set(before_); }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;

private:
    const fmp_context *before_;
};

} // namespace fmprof

#ifdef FMP_DISABLE
#define FMP_SCOPE_SITE(site_pointer) ((void)(site_pointer))
#define FMP_SCOPE(category, operation) ((void)(category), (void)(operation))
#define FMP_SCOPE_MEASURING(category, operation, measures) ((void)(category), (void)(operation))
#define FMP_CONTEXT(prefix) ((void)(prefix))
#else
#define FMP_SCOPE_SITE(site_pointer) const ::fmprof::Scope FMP_CONCAT(fmp_scope_, __LINE__)(site_pointer)
#define FMP_SCOPE(category, operation) FMP_SCOPE_MEASURING(category, operation, FMP_MEASURE_TIME)
/* While recording is off the site is not even looked at. */
#define FMP_SCOPE_MEASURING(category, operation, measures)                                  \
    FMP_SCOPE_SITE(!fmp_enabled() ? nullptr : [&]() noexcept {                              \
        static const fmp_site *const fmp_own_site =                                         \
            fmp_site_get_measuring(category, operation, measures);                          \
        return fmp_own_site;                                                                \
    }())
#define FMP_CONTEXT(prefix)                                                                 \
    static const fmp_context *const FMP_CONCAT(fmp_context_, __LINE__) = fmp_context_get(prefix); \
    const ::fmprof::Context FMP_CONCAT(fmp_before_, __LINE__)(FMP_CONCAT(fmp_context_, __LINE__))
#endif

#endif
