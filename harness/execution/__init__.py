"""Where it runs: jobs on this machine (local), each a pack, each its own thread; what fails is noted, the rest goes on."""
