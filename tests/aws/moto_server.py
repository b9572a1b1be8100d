# SPDX-License-Identifier: MIT
"""moto's server on a port of its choice, which is the one line that it prints.
One request at a time: its tables have no locks.  So HTTP/1.0, since a
connection that is kept alive would keep all others out."""
from moto.moto_server.werkzeug_app import (DomainDispatcherApplication,
                                           create_backend_app)
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app),
                     threaded=False, request_handler=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
