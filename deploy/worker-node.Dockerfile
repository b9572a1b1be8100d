# The worker of workers/examples/echo.mjs.
FROM node:22-slim
WORKDIR /app
COPY workers/examples/package.json workers/examples/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY workers/examples/echo.mjs ./
USER 10001:10001
ENTRYPOINT ["node", "echo.mjs"]
CMD ["tcp://broker:5555"]
