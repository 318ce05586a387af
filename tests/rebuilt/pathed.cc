// A library that a plugin is linked with by its path.
extern "C" double khost_pathed() {
#ifdef KHOST_OTHER_BODY
  return 50;
#else
  return 40;
#endif
}
