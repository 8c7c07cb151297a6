BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0013');
CREATE TABLE alerts (
	id TEXT NOT NULL, 
	monitor TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	title TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	size DOUBLE NOT NULL, 
	interval TEXT, 
	window_start BIGINT NOT NULL, 
	window_end BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	opened_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	CONSTRAINT pk_alerts PRIMARY KEY (id)
);
CREATE TABLE artifact_parts (
	upload_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	token TEXT, 
	start BIGINT, 
	size_bytes BIGINT NOT NULL, 
	CONSTRAINT pk_artifact_parts PRIMARY KEY (upload_id, number)
);
CREATE TABLE artifact_uploads (
	id TEXT NOT NULL, 
	owner_kind TEXT NOT NULL, 
	owner_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	parts INTEGER NOT NULL, 
	part_bytes BIGINT, 
	begun_at BIGINT NOT NULL, 
	CONSTRAINT pk_artifact_uploads PRIMARY KEY (id)
);
CREATE TABLE assessments (
	id TEXT NOT NULL, 
	trace_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	value TEXT NOT NULL, 
	number DOUBLE, 
	error TEXT, 
	source_kind TEXT NOT NULL, 
	source_id TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	span_id TEXT NOT NULL, 
	rationale TEXT, 
	metadata TEXT NOT NULL, 
	overrides TEXT NOT NULL, 
	valid BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_assessments PRIMARY KEY (id)
);
CREATE TABLE checkpoints (
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	"key" TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (seq)
);
INSERT INTO "checkpoints" VALUES(14,'1c9ca019cfeb7f5f2e7a8821a003ed815f6bbcd6e30358a5e09ad56b6ba1f44e',1795901034746298,'c6cd19a179ea4c62','51804d3eb31f329053146d48903c55bab36fbaeec59cc33cfc9229ba9fe0d0a4c3875c311ab4aa1566a35bab22e25efa088628ba8112440e2574c714ac35e706');
CREATE TABLE chunks (
	digest BLOB NOT NULL, 
	pack INTEGER NOT NULL, 
	"offset" INTEGER NOT NULL, 
	length INTEGER NOT NULL, 
	raw_length INTEGER NOT NULL, 
	CONSTRAINT pk_chunks PRIMARY KEY (digest), 
	CONSTRAINT fk_chunks_pack FOREIGN KEY(pack) REFERENCES packs (number)
);
INSERT INTO "chunks" VALUES(X'1FE2504E6E840C581214E83C8B828FCC8A8AC41940BF93558F14E8F3FA658C3F',1,40029,197,210);
INSERT INTO "chunks" VALUES(X'4898BEE356F5D7E926F512B56571AC8C3C8ABDDFE4DC439C849A4C374CFB7494',1,20024,20000,20000);
INSERT INTO "chunks" VALUES(X'77AD9E2B6C2DACE52F4D75E6BD2F7A380EB6573C7EFA06C780155AD518C34B91',1,40226,36,36);
INSERT INTO "chunks" VALUES(X'CC874A1DABFCCBA239BC2A4AABCCA0CD836B44DDEC5989F3C5A455AEE0C7ABB6',1,40024,5,5);
INSERT INTO "chunks" VALUES(X'E3ED921152E7D03D8B891360075E4ECEF314F5CFBF8A1B7F905CAE839368ACFB',1,24,20000,20000);
INSERT INTO "chunks" VALUES(X'5EBFB64A4C7636F3474C53B33DFB25B32D95833C77DA4061691A229C0CC9E759',2,24,20000,20000);
INSERT INTO "chunks" VALUES(X'66E55CE68379E5498060F0100D0E22C4814AE33651CE8D3C7F91B51703509D1C',2,20024,10,10);
INSERT INTO "chunks" VALUES(X'B065EBA7FE402EB6A78D552652CC42E601C81C781C555054308BC5EB0E17C55F',2,20276,36,36);
INSERT INTO "chunks" VALUES(X'FF9F74D44C5B7C21A518F603354E2AAF86D2F180F792935E0F873AB60C44E2B1',2,20034,242,266);
INSERT INTO "chunks" VALUES(X'2D6EA7AC3B197FEAC20CD8B5902AC3CDFAA04BD7B357D586D4B8A75686F1FF9F',3,236,36,36);
INSERT INTO "chunks" VALUES(X'371215141DD21B8D6F78A0EFBCE5BDB8384D0D82EE676D3A1F1BD03CABD1C13F',3,24,15,15);
INSERT INTO "chunks" VALUES(X'CCE06B9A70119B5D1311E6A72937B008C5A16779E26B02EEB725AA0BABE27E2C',3,39,197,210);
CREATE TABLE contracts (
	dataset TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_contracts PRIMARY KEY (dataset, number), 
	CONSTRAINT fk_contracts_dataset FOREIGN KEY(dataset) REFERENCES datasets (name)
);
INSERT INTO "contracts" VALUES('trips',1,'{"columns":[{"ascending":false,"categories":[],"high":588.0,"low":0.0,"max_constant_days":1.0,"max_daily_step":null,"max_new_share":0.0,"max_null_share":0.02,"max_orphan_share":0.0,"max_outside_share":0.01,"max_unmatched_share":0.0,"max_zero_share":0.02,"name":"id","pattern":null,"references":null,"references_column":null,"role":"","type":"integer","unique":false,"warn":[]},{"ascending":false,"categories":[],"high":48.0,"low":0.0,"max_constant_days":1.0,"max_daily_step":null,"max_new_share":0.0,"max_null_share":0.02,"max_orphan_share":0.0,"max_outside_share":0.01,"max_unmatched_share":0.0,"max_zero_share":0.114,"name":"delay","pattern":null,"references":null,"references_column":null,"role":"","type":"number","unique":false,"warn":[]},{"ascending":false,"categories":["Bern","Zug"],"high":null,"low":null,"max_constant_days":1.0,"max_daily_step":null,"max_new_share":0.05,"max_null_share":0.02,"max_orphan_share":0.0,"max_outside_share":0.0,"max_unmatched_share":0.0,"max_zero_share":1.0,"name":"city","pattern":null,"references":null,"references_column":null,"role":"","type":"text","unique":false,"warn":[]}],"label":null,"relations":[],"table":{"max_age_hours":null,"max_repeated_share":0.0,"max_rows":null,"max_rows_per_day":null,"min_rows":100,"min_rows_per_day":null,"unique":[],"warn":[]}}','8fbc654006eaa48226e5a61be33e4f294292197c11e4f5e6b3d5ca70203cd29f',1704067200000000);
CREATE TABLE dataset_profiles (
	"table" TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	CONSTRAINT pk_dataset_profiles PRIMARY KEY ("table")
);
INSERT INTO "dataset_profiles" VALUES('e4bae6bee32d1aa3daa8c049133d6379eef0dac1d6483d2b99e14a12e2002e06','3820119e0f5ff974605cb964093257d23f8ba5aa9e41e7539579c672bc647a24');
CREATE TABLE dataset_versions (
	id TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	files TEXT NOT NULL, 
	"table" TEXT NOT NULL, 
	columns TEXT NOT NULL, 
	rows BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	message TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	code_commit TEXT, 
	created_at BIGINT NOT NULL, 
	tree TEXT DEFAULT '' NOT NULL, 
	file_count INTEGER DEFAULT '1' NOT NULL, 
	stored_bytes BIGINT, 
	CONSTRAINT pk_dataset_versions PRIMARY KEY (id), 
	CONSTRAINT uq_dataset_versions_dataset_number UNIQUE (dataset, number), 
	CONSTRAINT uq_dataset_versions_dataset_digest UNIQUE (dataset, digest), 
	CONSTRAINT fk_dataset_versions_dataset FOREIGN KEY(dataset) REFERENCES datasets (name)
);
INSERT INTO "dataset_versions" VALUES('01a2240b0df67002a1a73ac334268b6d','pets',1,'77ad9e2b6c2dace52f4d75e6bd2f7a380eb6573c7efa06c780155ad518c34b91','[]','','[]',0,40005,'pets 1','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'77ad9e2b6c2dace52f4d75e6bd2f7a380eb6573c7efa06c780155ad518c34b91',4,40498);
INSERT INTO "dataset_versions" VALUES('01a2240b0f2d700387e37f5aa47cd7c1','trips',1,'d747deb3a71f9439f8319be81e76686f94a2902b4a850133110af409f37eeec8','[{"digest":"e4bae6bee32d1aa3daa8c049133d6379eef0dac1d6483d2b99e14a12e2002e06","path":"table.parquet","size_bytes":1713}]','e4bae6bee32d1aa3daa8c049133d6379eef0dac1d6483d2b99e14a12e2002e06','[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}]',200,1713,'trips 1','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'',1,NULL);
INSERT INTO "dataset_versions" VALUES('01a2240b0f5970039e9447be91b6f06d','pets',2,'b065eba7fe402eb6a78d552652cc42e601c81c781c555054308bc5eb0e17c55f','[]','','[]',0,60010,'pets 2','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'b065eba7fe402eb6a78d552652cc42e601c81c781c555054308bc5eb0e17c55f',5,20504);
INSERT INTO "dataset_versions" VALUES('01a2240b0f667000803d45e3a80d41fc','trips',2,'dcdb42abec2edda7e5d09492f11b75de7d5f27d393470dddb188a8ca80582adc','[{"digest":"09a2820ee8e47a1bf4f8d12c56cf76d692d3eaa3f18a51cc7625fc84d3b38d8d","path":"table.parquet","size_bytes":1723}]','09a2820ee8e47a1bf4f8d12c56cf76d692d3eaa3f18a51cc7625fc84d3b38d8d','[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}]',200,1723,'trips 2','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'',1,NULL);
INSERT INTO "dataset_versions" VALUES('01a2240b0f8c7001af2559f64e9c832a','pets',3,'2d6ea7ac3b197feac20cd8b5902ac3cdfaa04bd7b357d586d4b8a75686f1ff9f','[]','','[]',0,40015,'pets 3','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'2d6ea7ac3b197feac20cd8b5902ac3cdfaa04bd7b357d586d4b8a75686f1ff9f',4,420);
INSERT INTO "dataset_versions" VALUES('01a2240b0f9b70019396458617fcd382','trips',3,'412284bd25c85ef1f50c4f70de35626b2a3cbbbb3ac1008754c3b54098f495f5','[{"digest":"250d077dd7cf9c27753ebf761094d93499aa67c5e1c8f8e290e253f15c963591","path":"table.parquet","size_bytes":1747}]','250d077dd7cf9c27753ebf761094d93499aa67c5e1c8f8e290e253f15c963591','[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}]',210,1747,'trips 3','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'',1,NULL);
INSERT INTO "dataset_versions" VALUES('01a2240b10517000bb12d22c30a5118b','cities',1,'f48475bbfaa70b76faf099350b4529f17d61b1c6ca7ed8e89fc6b7b9deb543f6','[{"digest":"70c67ad40bb863bc73c12f7b1b8212c96c649c8c6355764810b696b5764c5846","path":"cities.csv","size_bytes":23}]','9f784bf6bec4cc42bdb250d65a636c1dab6cfffabeb6f595e7c3600af62eb187','[{"name":"id","type":"int64"},{"name":"city","type":"string"}]',2,23,'','user:root','ac93c4b889333c7129baffc2fa0e4401144e10bf',1704067200000000,'',1,NULL);
CREATE TABLE datasets (
	name TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_datasets PRIMARY KEY (name)
);
INSERT INTO "datasets" VALUES('pets',1704067200000000);
INSERT INTO "datasets" VALUES('trips',1704067200000000);
INSERT INTO "datasets" VALUES('cities',1704067200000000);
CREATE TABLE endpoints (
	name TEXT NOT NULL, 
	model TEXT NOT NULL, 
	variants TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_endpoints PRIMARY KEY (name)
);
CREATE TABLE evaluation_datasets (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	schema TEXT, 
	records INTEGER, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	created_by TEXT, 
	updated_by TEXT, 
	CONSTRAINT pk_evaluation_datasets PRIMARY KEY (id)
);
CREATE TABLE evaluation_experiments (
	dataset_id TEXT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	CONSTRAINT pk_evaluation_experiments PRIMARY KEY (dataset_id, experiment_id)
);
CREATE TABLE evaluation_freezes (
	version TEXT NOT NULL, 
	dataset_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	records INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_evaluation_freezes PRIMARY KEY (version, dataset_id)
);
CREATE TABLE evaluation_records (
	id TEXT NOT NULL, 
	dataset_id TEXT NOT NULL, 
	input_hash TEXT NOT NULL, 
	inputs TEXT NOT NULL, 
	outputs TEXT, 
	expectations TEXT, 
	tags TEXT NOT NULL, 
	source TEXT, 
	source_type TEXT, 
	source_id TEXT, 
	size_bytes INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	created_by TEXT, 
	updated_by TEXT, 
	CONSTRAINT pk_evaluation_records PRIMARY KEY (id), 
	CONSTRAINT uq_evaluation_records_dataset_id_input_hash UNIQUE (dataset_id, input_hash)
);
CREATE TABLE evaluation_tags (
	dataset_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_evaluation_tags PRIMARY KEY (dataset_id, "key")
);
CREATE TABLE events (
	seq BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	body TEXT NOT NULL, 
	previous TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (seq)
);
INSERT INTO "events" VALUES(1,1704067200000000,1795901034013582,'dataset.committed','dataset/pets','user:root','{"id":"01a2240b0df67002a1a73ac334268b6d","dataset":"pets","number":1,"digest":"77ad9e2b6c2dace52f4d75e6bd2f7a380eb6573c7efa06c780155ad518c34b91","files":[],"table":"","columns":[],"rows":0,"size_bytes":40005,"message":"pets 1","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"77ad9e2b6c2dace52f4d75e6bd2f7a380eb6573c7efa06c780155ad518c34b91","file_count":4,"stored_bytes":40498}','0000000000000000000000000000000000000000000000000000000000000000','bbbc74e00c6ca452637aa6b034462a5b3128947b12121e065aaa5747e612fcdd');
INSERT INTO "events" VALUES(2,1704067200000000,1795901034286636,'dataset.committed','dataset/trips','user:root','{"id":"01a2240b0f2d700387e37f5aa47cd7c1","dataset":"trips","number":1,"digest":"d747deb3a71f9439f8319be81e76686f94a2902b4a850133110af409f37eeec8","files":[{"path":"table.parquet","digest":"e4bae6bee32d1aa3daa8c049133d6379eef0dac1d6483d2b99e14a12e2002e06","size_bytes":1713}],"table":"e4bae6bee32d1aa3daa8c049133d6379eef0dac1d6483d2b99e14a12e2002e06","columns":[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}],"rows":200,"size_bytes":1713,"message":"trips 1","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"","file_count":1,"stored_bytes":null}','bbbc74e00c6ca452637aa6b034462a5b3128947b12121e065aaa5747e612fcdd','f4aea4869a4d9e5ef0eb4eee2849324f664b8af9fbcb1dee6887707e09d5adbd');
INSERT INTO "events" VALUES(3,1704067200000000,1795901034330479,'dataset.committed','dataset/pets','user:root','{"id":"01a2240b0f5970039e9447be91b6f06d","dataset":"pets","number":2,"digest":"b065eba7fe402eb6a78d552652cc42e601c81c781c555054308bc5eb0e17c55f","files":[],"table":"","columns":[],"rows":0,"size_bytes":60010,"message":"pets 2","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"b065eba7fe402eb6a78d552652cc42e601c81c781c555054308bc5eb0e17c55f","file_count":5,"stored_bytes":20504}','f4aea4869a4d9e5ef0eb4eee2849324f664b8af9fbcb1dee6887707e09d5adbd','5113aba711b6a10af664c98cd241317c5558b3b16050cb1339b6347c5fabab7d');
INSERT INTO "events" VALUES(4,1704067200000000,1795901034343115,'dataset.committed','dataset/trips','user:root','{"id":"01a2240b0f667000803d45e3a80d41fc","dataset":"trips","number":2,"digest":"dcdb42abec2edda7e5d09492f11b75de7d5f27d393470dddb188a8ca80582adc","files":[{"path":"table.parquet","digest":"09a2820ee8e47a1bf4f8d12c56cf76d692d3eaa3f18a51cc7625fc84d3b38d8d","size_bytes":1723}],"table":"09a2820ee8e47a1bf4f8d12c56cf76d692d3eaa3f18a51cc7625fc84d3b38d8d","columns":[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}],"rows":200,"size_bytes":1723,"message":"trips 2","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"","file_count":1,"stored_bytes":null}','5113aba711b6a10af664c98cd241317c5558b3b16050cb1339b6347c5fabab7d','f6afe359ece24a237a0a1c539f42205a57dfa5e3eadb3aa21cfe48402f7d16ff');
INSERT INTO "events" VALUES(5,1704067200000000,1795901034381836,'dataset.committed','dataset/pets','user:root','{"id":"01a2240b0f8c7001af2559f64e9c832a","dataset":"pets","number":3,"digest":"2d6ea7ac3b197feac20cd8b5902ac3cdfaa04bd7b357d586d4b8a75686f1ff9f","files":[],"table":"","columns":[],"rows":0,"size_bytes":40015,"message":"pets 3","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"2d6ea7ac3b197feac20cd8b5902ac3cdfaa04bd7b357d586d4b8a75686f1ff9f","file_count":4,"stored_bytes":420}','f6afe359ece24a237a0a1c539f42205a57dfa5e3eadb3aa21cfe48402f7d16ff','05ae0f7fc5d71f4af766e5c1b1f0617a86ece28f12bf13cd03d7a04711e7ba37');
INSERT INTO "events" VALUES(6,1704067200000000,1795901034396763,'dataset.committed','dataset/trips','user:root','{"id":"01a2240b0f9b70019396458617fcd382","dataset":"trips","number":3,"digest":"412284bd25c85ef1f50c4f70de35626b2a3cbbbb3ac1008754c3b54098f495f5","files":[{"path":"table.parquet","digest":"250d077dd7cf9c27753ebf761094d93499aa67c5e1c8f8e290e253f15c963591","size_bytes":1747}],"table":"250d077dd7cf9c27753ebf761094d93499aa67c5e1c8f8e290e253f15c963591","columns":[{"name":"id","type":"int64"},{"name":"delay","type":"double"},{"name":"city","type":"string"}],"rows":210,"size_bytes":1747,"message":"trips 3","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"","file_count":1,"stored_bytes":null}','05ae0f7fc5d71f4af766e5c1b1f0617a86ece28f12bf13cd03d7a04711e7ba37','efbfcf275b2125b914c0a116e59a51f53697e7b77a455a90d8df2836af240a48');
INSERT INTO "events" VALUES(7,1704067200000000,1795901034428742,'contract.set','dataset/trips','user:root','{"dataset":"trips","number":1,"digest":"8fbc654006eaa48226e5a61be33e4f294292197c11e4f5e6b3d5ca70203cd29f","body":{"table":{"min_rows":100,"min_rows_per_day":null,"max_age_hours":null,"max_rows":null,"max_rows_per_day":null,"unique":[],"max_repeated_share":0.0,"warn":[]},"columns":[{"name":"id","type":"integer","role":"","max_null_share":0.02,"low":0.0,"high":588.0,"max_outside_share":0.01,"categories":[],"max_new_share":0.0,"unique":false,"max_daily_step":null,"pattern":null,"max_unmatched_share":0.0,"references":null,"references_column":null,"max_orphan_share":0.0,"ascending":false,"max_zero_share":0.02,"max_constant_days":1.0,"warn":[]},{"name":"delay","type":"number","role":"","max_null_share":0.02,"low":0.0,"high":48.0,"max_outside_share":0.01,"categories":[],"max_new_share":0.0,"unique":false,"max_daily_step":null,"pattern":null,"max_unmatched_share":0.0,"references":null,"references_column":null,"max_orphan_share":0.0,"ascending":false,"max_zero_share":0.114,"max_constant_days":1.0,"warn":[]},{"name":"city","type":"text","role":"","max_null_share":0.02,"low":null,"high":null,"max_outside_share":0.0,"categories":["Bern","Zug"],"max_new_share":0.05,"unique":false,"max_daily_step":null,"pattern":null,"max_unmatched_share":0.0,"references":null,"references_column":null,"max_orphan_share":0.0,"ascending":false,"max_zero_share":1.0,"max_constant_days":1.0,"warn":[]}],"label":null,"relations":[]}}','efbfcf275b2125b914c0a116e59a51f53697e7b77a455a90d8df2836af240a48','bc1b8396d325f6c2e9b9d8d577afb9667f9fd5caa241d6983da9d11c01a0d1a2');
INSERT INTO "events" VALUES(8,1704067200000000,1795901034555016,'dataset.validated','dataset/trips','user:root','{"id":"01a2240b103a7002a98c742253e26c11","dataset":"trips","version_number":1,"contract_number":1,"verdict":"pass","findings":[]}','bc1b8396d325f6c2e9b9d8d577afb9667f9fd5caa241d6983da9d11c01a0d1a2','14e823abc5df73c713b96bf16fa7ba3be1a37aa1c6ab980b06a3d8db06250ceb');
INSERT INTO "events" VALUES(9,1704067200000000,1795901034557494,'dataset.quarantined','dataset/trips','user:root','{"id":"01a2240b103d7001b2a97d07c3758e01","dataset":"trips","version_number":2,"reason":"a delay of 999","rows":200,"evidence":{"rows":1}}','14e823abc5df73c713b96bf16fa7ba3be1a37aa1c6ab980b06a3d8db06250ceb','ba4a5545139e89dfdcae66833a3d89fa10e6c8de86ef74ce4c961878335043ef');
INSERT INTO "events" VALUES(10,1704067200000000,1795901034578440,'dataset.committed','dataset/cities','user:root','{"id":"01a2240b10517000bb12d22c30a5118b","dataset":"cities","number":1,"digest":"f48475bbfaa70b76faf099350b4529f17d61b1c6ca7ed8e89fc6b7b9deb543f6","files":[{"path":"cities.csv","digest":"70c67ad40bb863bc73c12f7b1b8212c96c649c8c6355764810b696b5764c5846","size_bytes":23}],"table":"9f784bf6bec4cc42bdb250d65a636c1dab6cfffabeb6f595e7c3600af62eb187","columns":[{"name":"id","type":"int64"},{"name":"city","type":"string"}],"rows":2,"size_bytes":23,"message":"","code_commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","tree":"","file_count":1,"stored_bytes":null}','ba4a5545139e89dfdcae66833a3d89fa10e6c8de86ef74ce4c961878335043ef','c71f41a87ad5b7cf698f89d2265e3d4f8553d4863a2b7cf5c71aa056f829a62d');
INSERT INTO "events" VALUES(11,1704067200000000,1795901034716285,'experiment.created','experiment/old','user:root','{"id":"01a2240b10d970028969406f57c5ebdf","name":"old"}','c71f41a87ad5b7cf698f89d2265e3d4f8553d4863a2b7cf5c71aa056f829a62d','e5ff2e3190ed2b22b315fabf1eb23e98708e7e583873a6b8a472c93878cf941b');
INSERT INTO "events" VALUES(12,1704067200000000,1795901034716285,'run.started','run/01a2240b10da700395795907a232e3ee','user:root','{"run_id":"01a2240b10da700395795907a232e3ee","experiment":"old","name":"by hand","parent_id":null,"params":{},"tags":{"mlflow.runName":"by hand","mlflow.source.git.branch":"team","mlflow.source.git.commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","mlflow.source.name":"tests/upgrade/write_home.py","mlflow.source.type":"LOCAL","mlflow.user":"root","treadle.arguments":"chunks-of-files","treadle.code.branch":"team","treadle.code.commit":"ac93c4b889333c7129baffc2fa0e4401144e10bf","treadle.code.system":"git","treadle.code.untracked":"1","treadle.cpus":"2","treadle.host":"vm","treadle.os":"Linux 6.18.44-fc-v595 x86_64","treadle.packages":"61fa935167a1a105c15e8f2d1982a697e58c51f1f5aa2cb9956e2bd0f3dc8df2","treadle.python":"3.11.7","treadle.source":"tests/upgrade/write_home.py","treadle.user":"root"},"artifacts":[{"path":"code/untracked.txt","digest":"2f5f617bc6ff7ea1c985ccfe8e7c803c38ae5aa7b26b6cb78f478d47f1428120","size_bytes":28},{"path":"environment/packages.txt","digest":"61fa935167a1a105c15e8f2d1982a697e58c51f1f5aa2cb9956e2bd0f3dc8df2","size_bytes":2204}]}','e5ff2e3190ed2b22b315fabf1eb23e98708e7e583873a6b8a472c93878cf941b','992177a7b266343dcf3aad1ec5edfcfe2bee6ce6c82fdf7a00e457df6056ed02');
INSERT INTO "events" VALUES(13,1704067200000000,1795901034730373,'artifact.logged','run/01a2240b10da700395795907a232e3ee','user:root','{"run_id":"01a2240b10da700395795907a232e3ee","path":"note.txt","digest":"5e6f1a1a18575bd6705c9f36b25b50795525dc34e37f11bcbf0ff4bb1ff690e5","size_bytes":4}','992177a7b266343dcf3aad1ec5edfcfe2bee6ce6c82fdf7a00e457df6056ed02','d7520add2ef057ebb017dfb7b650bed216a917725066fdbab8f9e1550a838cab');
INSERT INTO "events" VALUES(14,1704067200000000,1795901034735328,'run.ended','run/01a2240b10da700395795907a232e3ee','user:root','{"run_id":"01a2240b10da700395795907a232e3ee","status":"finished","error":"","metrics":{}}','d7520add2ef057ebb017dfb7b650bed216a917725066fdbab8f9e1550a838cab','1c9ca019cfeb7f5f2e7a8821a003ed815f6bbcd6e30358a5e09ad56b6ba1f44e');
CREATE TABLE experiment_tags (
	experiment_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_experiment_tags PRIMARY KEY (experiment_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE experiments (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	lifecycle_stage TEXT DEFAULT 'active' NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	artifact_location TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_experiments PRIMARY KEY (id), 
	CONSTRAINT uq_experiments_name UNIQUE (name)
);
INSERT INTO "experiments" VALUES('01a2240b10d970028969406f57c5ebdf','old','active',1704067200000000,1704067200000000,'');
CREATE TABLE gate_reports (
	id TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	passed BOOLEAN NOT NULL, 
	results TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_gate_reports PRIMARY KEY (id)
);
CREATE TABLE jobs (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	"key" TEXT, 
	target TEXT NOT NULL, 
	arguments TEXT NOT NULL, 
	state TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	ready_at BIGINT NOT NULL, 
	lease_owner TEXT, 
	lease_until BIGINT, 
	result TEXT, 
	error TEXT NOT NULL, 
	log TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	started_at BIGINT, 
	ended_at BIGINT, 
	CONSTRAINT pk_jobs PRIMARY KEY (id)
);
CREATE TABLE keys (
	id TEXT NOT NULL, 
	public TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (id)
);
INSERT INTO "keys" VALUES('c6cd19a179ea4c62','c6cd19a179ea4c6285bca71fdd34c51d6c962f3afb158d01750b88d7eed6caa8',1704067200000000);
CREATE TABLE label_parts (
	id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	source_ref TEXT NOT NULL, 
	state TEXT NOT NULL, 
	rows BIGINT NOT NULL, 
	joined BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	first_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_label_parts PRIMARY KEY (id), 
	CONSTRAINT uq_label_parts_endpoint_source_ref_digest UNIQUE (endpoint, source_ref, digest)
);
CREATE TABLE logged_datasets (
	id TEXT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	source_type TEXT NOT NULL, 
	source TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	CONSTRAINT pk_logged_datasets PRIMARY KEY (id), 
	CONSTRAINT uq_logged_datasets_experiment_id_name_digest UNIQUE (experiment_id, name, digest)
);
CREATE TABLE logged_model_artifacts (
	model_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_logged_model_artifacts PRIMARY KEY (model_id, path)
);
CREATE TABLE logged_model_metrics (
	model_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	step BIGINT NOT NULL, 
	run_id TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	dataset_name TEXT NOT NULL, 
	dataset_digest TEXT NOT NULL, 
	CONSTRAINT pk_logged_model_metrics PRIMARY KEY (model_id, "key", at, step, run_id)
)
 WITHOUT ROWID

;
CREATE TABLE logged_model_params (
	model_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_logged_model_params PRIMARY KEY (model_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE logged_model_tags (
	model_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_logged_model_tags PRIMARY KEY (model_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE logged_models (
	id TEXT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	model_type TEXT NOT NULL, 
	source_run_id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	status_message TEXT NOT NULL, 
	lifecycle_stage TEXT NOT NULL, 
	artifact_location TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_logged_models PRIMARY KEY (id)
);
CREATE TABLE loose_artifacts (
	path TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_loose_artifacts PRIMARY KEY (path)
);
CREATE TABLE metric_blocks (
	series_id BIGINT NOT NULL, 
	block BIGINT NOT NULL, 
	points BIGINT NOT NULL, 
	low DOUBLE, 
	low_step BIGINT, 
	low_at BIGINT, 
	high DOUBLE, 
	high_step BIGINT, 
	high_at BIGINT, 
	CONSTRAINT pk_metric_blocks PRIMARY KEY (series_id, block)
)
 WITHOUT ROWID

;
CREATE TABLE metric_points (
	series_id BIGINT NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	value DOUBLE NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	CONSTRAINT pk_metric_points PRIMARY KEY (series_id, step, at, value, is_nan)
)
 WITHOUT ROWID

;
CREATE TABLE metric_series (
	id INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	CONSTRAINT pk_metric_series PRIMARY KEY (id), 
	CONSTRAINT uq_metric_series_run_id_key UNIQUE (run_id, "key")
);
CREATE TABLE model_aliases (
	model TEXT NOT NULL, 
	alias TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	set_at BIGINT NOT NULL, 
	CONSTRAINT pk_model_aliases PRIMARY KEY (model, alias)
);
CREATE TABLE model_tags (
	model TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_model_tags PRIMARY KEY (model, "key")
);
CREATE TABLE model_version_tags (
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_model_version_tags PRIMARY KEY (model, number, "key")
);
CREATE TABLE model_versions (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	run_id TEXT, 
	flavor TEXT NOT NULL, 
	files TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	key_id TEXT NOT NULL, 
	signed TEXT NOT NULL, 
	description TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	actor TEXT NOT NULL, 
	sealing INTEGER DEFAULT '1' NOT NULL, 
	source TEXT DEFAULT '' NOT NULL, 
	run_link TEXT DEFAULT '' NOT NULL, 
	logged_model_id TEXT, 
	status TEXT DEFAULT 'ready' NOT NULL, 
	status_message TEXT DEFAULT '' NOT NULL, 
	stage TEXT DEFAULT 'none' NOT NULL, 
	updated_at BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_model_versions PRIMARY KEY (id), 
	CONSTRAINT uq_model_versions_model_number UNIQUE (model, number)
);
CREATE TABLE models (
	name TEXT NOT NULL, 
	latest INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (name)
);
CREATE TABLE monitor_references (
	monitor TEXT NOT NULL, 
	version TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	CONSTRAINT pk_monitor_references PRIMARY KEY (monitor, version)
);
CREATE TABLE monitors (
	name TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	rules TEXT NOT NULL, 
	reference TEXT, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_monitors PRIMARY KEY (name)
);
CREATE TABLE packs (
	number INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	chunks INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_packs PRIMARY KEY (number), 
	CONSTRAINT uq_packs_digest UNIQUE (digest)
);
INSERT INTO "packs" VALUES(1,'b839dd38f494c7f13c48cffa2717efe0aaa0765e7d35da4a1e442d1792322ec4',40498,5,1795901033967593);
INSERT INTO "packs" VALUES(2,'628d0d0aaabaf0a409a3ce51c7208685063d34ae87835c46c06fc67fd0d1bdfc',20504,4,1795901034325327);
INSERT INTO "packs" VALUES(3,'fe13ff280acffc2cc7fcf96d4738b60026e3c7bb0d3ca6541e76f7a679b290bc',420,3,1795901034377400);
CREATE TABLE pipeline_runs (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	params TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	result TEXT, 
	owner TEXT NOT NULL, 
	beat_at BIGINT NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_pipeline_runs PRIMARY KEY (id)
);
CREATE TABLE policies (
	endpoint TEXT NOT NULL, 
	body TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	set_at BIGINT NOT NULL, 
	retrained_at BIGINT, 
	retraining TEXT NOT NULL, 
	CONSTRAINT pk_policies PRIMARY KEY (endpoint)
);
CREATE TABLE prediction_parts (
	id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	source TEXT NOT NULL, 
	piece INTEGER NOT NULL, 
	first_id TEXT NOT NULL, 
	last_id TEXT NOT NULL, 
	first_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	rows BIGINT NOT NULL, 
	shadows_dropped BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_prediction_parts PRIMARY KEY (id), 
	CONSTRAINT uq_prediction_parts_source_endpoint_piece UNIQUE (source, endpoint, piece)
);
CREATE TABLE quarantines (
	id TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	version_number INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	rows BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_quarantines PRIMARY KEY (id), 
	CONSTRAINT fk_quarantines_dataset FOREIGN KEY(dataset) REFERENCES datasets (name)
);
INSERT INTO "quarantines" VALUES('01a2240b103d7001b2a97d07c3758e01','trips',2,'a delay of 999',200,'held','{"rows":1}',1704067200000000);
CREATE TABLE releases (
	id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	candidate TEXT NOT NULL, 
	champion TEXT NOT NULL, 
	why TEXT NOT NULL, 
	state TEXT NOT NULL, 
	stages TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_releases PRIMARY KEY (id)
);
CREATE TABLE run_artifacts (
	run_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_run_artifacts PRIMARY KEY (run_id, path)
);
INSERT INTO "run_artifacts" VALUES('01a2240b10da700395795907a232e3ee','code/untracked.txt','2f5f617bc6ff7ea1c985ccfe8e7c803c38ae5aa7b26b6cb78f478d47f1428120',28,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a2240b10da700395795907a232e3ee','environment/packages.txt','61fa935167a1a105c15e8f2d1982a697e58c51f1f5aa2cb9956e2bd0f3dc8df2',2204,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a2240b10da700395795907a232e3ee','note.txt','5e6f1a1a18575bd6705c9f36b25b50795525dc34e37f11bcbf0ff4bb1ff690e5',4,1704067200000000);
CREATE TABLE run_datasets (
	run_id TEXT NOT NULL, 
	dataset_id TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_run_datasets PRIMARY KEY (run_id, dataset_id)
);
CREATE TABLE run_inputs (
	run_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	context TEXT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_run_inputs PRIMARY KEY (run_id, kind, ref, digest, context)
);
CREATE TABLE run_metrics (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_run_metrics PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE run_models (
	run_id TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	model_id TEXT NOT NULL, 
	step BIGINT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_run_models PRIMARY KEY (run_id, direction, model_id)
);
CREATE TABLE run_params (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_run_params PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE run_tags (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_run_tags PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID

;
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.runName','by hand');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.source.git.branch','team');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.source.git.commit','ac93c4b889333c7129baffc2fa0e4401144e10bf');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.source.name','tests/upgrade/write_home.py');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.source.type','LOCAL');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','mlflow.user','root');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.arguments','chunks-of-files');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.code.branch','team');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.code.commit','ac93c4b889333c7129baffc2fa0e4401144e10bf');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.code.system','git');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.code.untracked','1');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.cpus','2');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.host','vm');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.os','Linux 6.18.44-fc-v595 x86_64');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.packages','61fa935167a1a105c15e8f2d1982a697e58c51f1f5aa2cb9956e2bd0f3dc8df2');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.python','3.11.7');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.source','tests/upgrade/write_home.py');
INSERT INTO "run_tags" VALUES('01a2240b10da700395795907a232e3ee','treadle.user','root');
CREATE TABLE runs (
	id TEXT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	lifecycle_stage TEXT DEFAULT 'active' NOT NULL, 
	parent_id TEXT, 
	actor TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	error TEXT DEFAULT '' NOT NULL, 
	user_id TEXT DEFAULT '' NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('01a2240b10da700395795907a232e3ee','01a2240b10d970028969406f57c5ebdf','by hand','finished','active',NULL,'user:root',1704067200000000,1704067200000000,'','root',NULL);
CREATE TABLE saved_views (
	page TEXT NOT NULL, 
	name TEXT NOT NULL, 
	"query" TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_saved_views PRIMARY KEY (page, name)
);
CREATE TABLE spans (
	trace_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	parent_id TEXT, 
	name TEXT NOT NULL, 
	type TEXT NOT NULL, 
	status TEXT NOT NULL, 
	start_ns BIGINT NOT NULL, 
	end_ns BIGINT, 
	content TEXT NOT NULL, 
	CONSTRAINT pk_spans PRIMARY KEY (trace_id, id)
);
CREATE TABLE step_cache (
	"key" TEXT NOT NULL, 
	outputs TEXT NOT NULL, 
	seconds DOUBLE NOT NULL, 
	pipeline_run TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_step_cache PRIMARY KEY ("key")
);
CREATE TABLE step_runs (
	pipeline_run TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	step TEXT NOT NULL, 
	state TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	cached BOOLEAN NOT NULL, 
	inputs TEXT NOT NULL, 
	outputs TEXT NOT NULL, 
	started_at BIGINT, 
	ended_at BIGINT, 
	seconds DOUBLE NOT NULL, 
	error TEXT NOT NULL, 
	job_id TEXT, 
	CONSTRAINT pk_step_runs PRIMARY KEY (pipeline_run, position)
);
CREATE TABLE studies (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	space TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	experiment TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	beat_at BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_studies PRIMARY KEY (id), 
	CONSTRAINT uq_studies_name UNIQUE (name)
);
CREATE TABLE trace_links (
	trace_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	target TEXT NOT NULL, 
	CONSTRAINT pk_trace_links PRIMARY KEY (trace_id, kind, target)
)
 WITHOUT ROWID

;
CREATE TABLE trace_metadata (
	trace_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_trace_metadata PRIMARY KEY (trace_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE trace_tags (
	trace_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_trace_tags PRIMARY KEY (trace_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE traces (
	id TEXT NOT NULL, 
	experiment_id TEXT NOT NULL, 
	name TEXT, 
	status TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	duration_us BIGINT, 
	client_request_id TEXT, 
	request_preview TEXT, 
	response_preview TEXT, 
	finalized BOOLEAN NOT NULL, 
	CONSTRAINT pk_traces PRIMARY KEY (id)
);
CREATE TABLE trials (
	study_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	params TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	value DOUBLE, 
	metrics TEXT NOT NULL, 
	error TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_trials PRIMARY KEY (study_id, number)
);
CREATE TABLE turns (
	name TEXT NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT pk_turns PRIMARY KEY (name)
);
CREATE TABLE validations (
	id TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	version_number INTEGER NOT NULL, 
	contract_number INTEGER NOT NULL, 
	verdict TEXT NOT NULL, 
	checks TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_validations PRIMARY KEY (id), 
	CONSTRAINT fk_validations_dataset FOREIGN KEY(dataset) REFERENCES datasets (name)
);
INSERT INTO "validations" VALUES('01a2240b103a7002a98c742253e26c11','trips',1,1,'pass','[{"check":"rows","column":"","counted":0,"examples":[],"message":"200 rows; at least 100 are expected.","total":100,"verdict":"pass"},{"check":"columns","column":"","counted":0,"examples":[],"message":"All columns are there.","total":3,"verdict":"pass"},{"check":"type","column":"id","counted":0,"examples":[],"message":"It is int64, as expected.","total":200,"verdict":"pass"},{"check":"nulls","column":"id","counted":0,"examples":[],"message":"0 of 200 have no value (0.00%); 2.00% are allowed.","total":200,"verdict":"pass"},{"check":"range","column":"id","counted":0,"examples":[],"message":"0 of 200 values lie outside 0 to 588 (0.00%; 1.00% are allowed).","total":200,"verdict":"pass"},{"check":"zeros","column":"id","counted":1,"examples":[],"message":"1 of 200 values are 0 (0.50%; 2.00% are allowed).","total":200,"verdict":"pass"},{"check":"type","column":"delay","counted":0,"examples":[],"message":"It is double, as expected.","total":200,"verdict":"pass"},{"check":"nulls","column":"delay","counted":0,"examples":[],"message":"0 of 200 have no value (0.00%); 2.00% are allowed.","total":200,"verdict":"pass"},{"check":"range","column":"delay","counted":0,"examples":[],"message":"0 of 200 values lie outside 0 to 48 (0.00%; 1.00% are allowed).","total":200,"verdict":"pass"},{"check":"zeros","column":"delay","counted":12,"examples":[],"message":"12 of 200 values are 0 (6.00%; 11.40% are allowed).","total":200,"verdict":"pass"},{"check":"type","column":"city","counted":0,"examples":[],"message":"It is string, as expected.","total":200,"verdict":"pass"},{"check":"nulls","column":"city","counted":0,"examples":[],"message":"0 of 200 have no value (0.00%); 2.00% are allowed.","total":200,"verdict":"pass"},{"check":"categories","column":"city","counted":0,"examples":[],"message":"0 of 200 values are new (0.00%; 5.00% are allowed).","total":200,"verdict":"pass"}]',1704067200000000);
CREATE TABLE watched_runs (
	run_id TEXT NOT NULL, 
	machine TEXT NOT NULL, 
	boot TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	started TEXT NOT NULL, 
	beat_at BIGINT NOT NULL, 
	gone BOOLEAN NOT NULL, 
	CONSTRAINT pk_watched_runs PRIMARY KEY (run_id)
);
CREATE TABLE webhooks (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	url TEXT NOT NULL, 
	topics TEXT NOT NULL, 
	description TEXT NOT NULL, 
	status TEXT NOT NULL, 
	secret TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	told BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	last_error TEXT NOT NULL, 
	CONSTRAINT pk_webhooks PRIMARY KEY (id)
);
CREATE TABLE windows (
	id TEXT NOT NULL, 
	monitor TEXT NOT NULL, 
	start BIGINT NOT NULL, 
	"end" BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	rows BIGINT NOT NULL, 
	report TEXT NOT NULL, 
	CONSTRAINT pk_windows PRIMARY KEY (id)
);
CREATE INDEX ix_alerts_endpoint ON alerts (endpoint);
CREATE INDEX ix_alerts_monitor ON alerts (monitor);
CREATE INDEX ix_artifact_uploads_begun_at ON artifact_uploads (begun_at);
CREATE INDEX ix_assessments_name ON assessments (kind, name, trace_id);
CREATE INDEX ix_assessments_trace ON assessments (trace_id, created_at);
CREATE INDEX ix_evaluation_datasets_created ON evaluation_datasets (created_at, id);
CREATE INDEX ix_evaluation_datasets_name ON evaluation_datasets (name);
CREATE INDEX ix_evaluation_experiments_experiment_id ON evaluation_experiments (experiment_id);
CREATE INDEX ix_evaluation_freezes_dataset_id ON evaluation_freezes (dataset_id);
CREATE INDEX ix_evaluation_records_order ON evaluation_records (dataset_id, created_at, id);
CREATE INDEX ix_evaluation_records_source_id ON evaluation_records (source_id);
CREATE INDEX ix_events_at ON events (at);
CREATE INDEX ix_events_kind_seq ON events (kind, seq);
CREATE INDEX ix_events_subject_seq ON events (subject, seq);
CREATE INDEX ix_gate_reports_run_id ON gate_reports (run_id);
CREATE INDEX ix_jobs_state_ready_at ON jobs (state, ready_at);
CREATE UNIQUE INDEX uq_jobs_key ON jobs ("key") WHERE state IN ('queued', 'running', 'done');
CREATE INDEX ix_label_parts_endpoint_at ON label_parts (endpoint, at);
CREATE INDEX ix_logged_datasets_digest ON logged_datasets (digest);
CREATE INDEX ix_logged_datasets_name ON logged_datasets (name);
CREATE INDEX ix_logged_model_artifacts_digest ON logged_model_artifacts (digest);
CREATE INDEX ix_logged_model_metrics_key_value ON logged_model_metrics ("key", value);
CREATE INDEX ix_logged_models_experiment_created ON logged_models (experiment_id, lifecycle_stage, created_at, id);
CREATE INDEX ix_logged_models_source_run_id ON logged_models (source_run_id);
CREATE INDEX ix_loose_artifacts_digest ON loose_artifacts (digest);
CREATE INDEX ix_model_versions_logged_model_id ON model_versions (logged_model_id);
CREATE INDEX ix_model_versions_run_id ON model_versions (run_id);
CREATE INDEX ix_model_versions_updated ON model_versions (updated_at, model, number);
CREATE INDEX ix_monitors_endpoint ON monitors (endpoint);
CREATE INDEX ix_pipeline_runs_name ON pipeline_runs (name, id);
CREATE INDEX ix_pipeline_runs_run_id ON pipeline_runs (run_id);
CREATE INDEX ix_pipeline_runs_state ON pipeline_runs (state);
CREATE INDEX ix_prediction_parts_endpoint_last_at ON prediction_parts (endpoint, last_at);
CREATE INDEX ix_prediction_parts_last_id ON prediction_parts (last_id);
CREATE INDEX ix_releases_endpoint_id ON releases (endpoint, id);
CREATE INDEX ix_run_artifacts_digest ON run_artifacts (digest);
CREATE INDEX ix_run_datasets_dataset_id ON run_datasets (dataset_id);
CREATE INDEX ix_run_inputs_digest ON run_inputs (digest);
CREATE INDEX ix_run_inputs_ref ON run_inputs (ref);
CREATE INDEX ix_run_metrics_key_value ON run_metrics ("key", value, run_id);
CREATE INDEX ix_run_models_model_id ON run_models (model_id);
CREATE INDEX ix_run_params_key_long ON run_params ("key", run_id) WHERE length(value) > 200;
CREATE INDEX ix_run_params_key_value ON run_params ("key", value, run_id) WHERE (length(value) > 200) IS NOT TRUE;
CREATE INDEX ix_run_tags_key_long ON run_tags ("key", run_id) WHERE length(value) > 200;
CREATE INDEX ix_run_tags_key_value ON run_tags ("key", value, run_id) WHERE (length(value) > 200) IS NOT TRUE;
CREATE INDEX ix_runs_experiment_stage_started ON runs (experiment_id, lifecycle_stage, started_at, id);
CREATE INDEX ix_runs_parent_id ON runs (parent_id);
CREATE INDEX ix_runs_stage_started ON runs (lifecycle_stage, started_at, id);
CREATE INDEX ix_spans_name ON spans (name, trace_id);
CREATE INDEX ix_spans_type ON spans (type, trace_id);
CREATE INDEX ix_trace_links_target ON trace_links (kind, target, trace_id);
CREATE INDEX ix_trace_metadata_key_value ON trace_metadata ("key", substr(value, 1, 200), trace_id);
CREATE INDEX ix_trace_tags_key_value ON trace_tags ("key", substr(value, 1, 200), trace_id);
CREATE INDEX ix_traces_experiment_started ON traces (experiment_id, started_at, id);
CREATE INDEX ix_traces_experiment_status ON traces (experiment_id, status, started_at);
CREATE INDEX ix_traces_started ON traces (started_at, id);
CREATE UNIQUE INDEX uq_windows_monitor_start ON windows (monitor, start, "end");
CREATE INDEX ix_chunks_pack ON chunks (pack);
CREATE INDEX ix_quarantines_dataset_version ON quarantines (dataset, version_number);
CREATE INDEX ix_validations_dataset_version ON validations (dataset, version_number);
COMMIT;
