# The worker of workers/examples/echo.py.  worker-python.txt has to have wheels for
# this Python: the image has no compiler.
FROM python:3.13-slim
WORKDIR /app
COPY deploy/worker-python.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r worker-python.txt
COPY workers/examples/echo.py .
USER 10001:10001
ENTRYPOINT ["python3", "echo.py"]
CMD ["tcp://broker:5555"]
