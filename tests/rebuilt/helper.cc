// The library of a plugin. It stays as it is while the one below it changes.
extern "C" double khost_inner();
extern "C" double khost_helper() { return khost_inner(); }
