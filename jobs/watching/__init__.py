"""A running job shows itself: a Unix socket in the user's runtime folder, for nobody else to read.

    publisher                     observes the job; owns the timers
      place      door             where the socket is; who may come in
      snapshot   timeline         the `job` message: figures now, and since the start
      texts      telling          the answers that are followed, and what is said of them
      watcher                     one who looks, never waited for
      flow       speaker    desk  what is under way, in this process or with workers
    client                        the other side: which jobs run, and what one of them says
    listing                       jobs that run and jobs that have ended, in one list

What is said over the socket is described in docs/websocket.md.
"""
