// What plugin openblas uses of an OpenBLAS, with the answer of the pthread flavour. Made as libopenblas.so.0 and preloaded, it is
// found by that name before the real one, as Debian's libopenblas0-pthread would be.
void openblas_set_num_threads(int threads) { (void)threads; }
int openblas_get_parallel(void) { return 1; }
const char* openblas_get_config(void) { return "OpenBLAS 0.0.0"; }
const char* openblas_get_corename(void) { return "none"; }
void cblas_sgemm(void) {}
