"""Where it runs: each pack is a job of one thread; what fails is noted, and the rest goes on."""
