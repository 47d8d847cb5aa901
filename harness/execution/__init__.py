"""Where runs are computed: each pack is a job of one thread; failures are noted, and the other jobs go on."""
