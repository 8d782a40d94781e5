"""A running job shows itself: a Unix socket in the user's runtime folder, for nobody else to read.

    publisher                     observes the job; owns the timers
      place      door             where the socket is; who may come in
      snapshot   timeline         the `job` message: figures now, and since the start
      texts      watcher          the answers that are followed; one who looks, never waited for
      client     finished         the other side: jobs that run, and jobs that have ended

What is said over the socket is described in docs/websocket.md.
"""
