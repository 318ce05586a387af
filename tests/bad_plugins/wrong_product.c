// A CBLAS that leaves C as it is: what a build with 64-bit sizes does when it finds a 0 where the other half of a size should be.
void cblas_sgemm(void) {}
