// The life of a branch through @neondatabase/api-client, as JSON for infra/tests/test_preview.py.

import client from "@neondatabase/api-client";

const { NEON_API_KEY: apiKey, NEON_API_HOST: baseURL, NEON_PROJECT_ID: projectId } = process.env;
const neon = client.createApiClient({ apiKey, baseURL });

const list = async (search) => (await neon.listProjectBranches({ projectId, search })).data.branches;
const [parent] = await list("previews");
const { data: made } = await neon.createProjectBranch(projectId, {
  branch: { name: "preview/pr-1", parent_id: parent.id },
  endpoints: [{ type: "read_write", autoscaling_limit_min_cu: 0.25, autoscaling_limit_max_cu: 0.25 }],
});
const extend = (expires_at) => neon.updateProjectBranch(projectId, made.branch.id, { branch: { expires_at } });
const expires_at = new Date(Date.now() + 86_400_000).toISOString();
const locked = await extend(expires_at).catch((error) => error.response.status);
const statuses = new Set();
for (const { id } of made.operations) {
  let status;
  for (let i = 0; i < 10 && status !== "finished"; i++) {
    ({ status } = (await neon.getProjectOperation(projectId, id)).data.operation);
    statuses.add(status);
  }
}
const { data: extended } = await extend(expires_at);
const [database] = (await neon.listProjectBranchDatabases(projectId, made.branch.id)).data.databases;
const { data: connection } = await neon.getConnectionUri({
  projectId,
  branch_id: made.branch.id,
  database_name: database.name,
  role_name: database.owner_name,
});
const names = (await list("preview/")).map(({ name }) => name);

const remove = async () => {
  for (let i = 0; i < 10; i++) {
    const status = await neon
      .deleteProjectBranch({ projectId, branchId: made.branch.id })
      .then((answer) => answer.status, (error) => error.response.status);
    if (status !== 423) return status;
  }
};
const removed = [await remove(), await remove()];
const left = (await list("preview/")).length;
const stranger = client.createApiClient({ apiKey: "wrong", baseURL });
const refused = await stranger.listProjectBranches({ projectId }).catch((error) => error.response.status);
const lives = extended.branch.expires_at === expires_at;
console.log(JSON.stringify({ locked, statuses: [...statuses], lives, names, uri: connection.uri, removed, left, refused }));
