// The library of a plugin's library.
extern "C" double khost_inner() {
#ifdef KHOST_OTHER_BODY
  return 3;
#else
  return 2;
#endif
}
