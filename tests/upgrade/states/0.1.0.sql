BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
CREATE TABLE checkpoints (
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	"key" TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (seq)
);
INSERT INTO "checkpoints" VALUES(22,'30a1dc1eed193795f537b9e9bef875a369a3c27252b1a3f377dbc01f9bfb467f',1795223720828408,'0753366b27383c8f','fa2408be5703aaac931e4564618509561ef172cb248310cffa6c0dd19a86c0dfc752fea428751fd1b0842e6b2c61aa32222151a94826e606c88357f33060700c');
CREATE TABLE contracts (
	dataset TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_contracts PRIMARY KEY (dataset, number), 
	CONSTRAINT fk_contracts_dataset FOREIGN KEY(dataset) REFERENCES datasets (name)
);
INSERT INTO "contracts" VALUES('rows',1,'{"columns":[{"categories":[],"high":48.0,"low":0.0,"max_daily_step":null,"max_new_share":0.0,"max_null_share":0.02,"max_outside_share":0.01,"name":"x","role":"","type":"number","unique":false},{"categories":[],"high":3.0,"low":0.0,"max_daily_step":null,"max_new_share":0.0,"max_null_share":1.0,"max_outside_share":0.01,"name":"y","role":"target","type":"integer","unique":false}],"label":{"above":null,"column":"y","constant_days":0.0,"high":0.848,"low":0.152,"positive":null},"table":{"max_age_hours":null,"min_rows":200,"min_rows_per_day":null}}','69a12d4d9ccef3b5b862b334b9a4e9743a6f814b4f47b61195a2c1579c85f285',1704067200000000);
CREATE TABLE dataset_profiles (
	"table" TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	CONSTRAINT pk_dataset_profiles PRIMARY KEY ("table")
);
INSERT INTO "dataset_profiles" VALUES('78a36d3276c8028b74b59f097811be11c096b2c35004d4a18ee1318a74fa1c8d','8aab20a2ddd4b1184a9b388a80e3c72bf435b1d84cb93e6ee61198be1047d3dc');
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
	CONSTRAINT pk_dataset_versions PRIMARY KEY (id), 
	CONSTRAINT fk_dataset_versions_dataset FOREIGN KEY(dataset) REFERENCES datasets (name), 
	CONSTRAINT uq_dataset_versions_dataset_digest UNIQUE (dataset, digest), 
	CONSTRAINT uq_dataset_versions_dataset_number UNIQUE (dataset, number)
);
INSERT INTO "dataset_versions" VALUES('01a1fbac12da7001a6005aa6cc8f69c3','rows',1,'175a138ac4c3fa77716e012a4f763f47dce7b966e25c768c59dda828eb8406e9','[{"digest":"78a36d3276c8028b74b59f097811be11c096b2c35004d4a18ee1318a74fa1c8d","path":"table.parquet","size_bytes":957}]','78a36d3276c8028b74b59f097811be11c096b2c35004d4a18ee1318a74fa1c8d','[{"name":"x","type":"double"},{"name":"y","type":"int64"}]',400,957,'first','user:root','549e4e1969a5f7eaf15a140b9eb68fa33db35236',1704067200000000);
INSERT INTO "dataset_versions" VALUES('01a1fbac135f70009d64dd96dfd53154','truth',1,'b15a76cc997541ce0e1e6702ee20f66622427bfa9667485a7d763a4beb79bc5b','[{"digest":"9771ecb6cd9b8d1b41df45ca5fcff20ce8f6ff1c1197d7f7b38d438b0b03e583","path":"table.parquet","size_bytes":1504}]','9771ecb6cd9b8d1b41df45ca5fcff20ce8f6ff1c1197d7f7b38d438b0b03e583','[{"name":"key","type":"string"},{"name":"label","type":"int64"}]',400,1504,'','user:root','549e4e1969a5f7eaf15a140b9eb68fa33db35236',1704758400000000);
CREATE TABLE datasets (
	name TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_datasets PRIMARY KEY (name)
);
INSERT INTO "datasets" VALUES('rows',1704067200000000);
INSERT INTO "datasets" VALUES('truth',1704758400000000);
CREATE TABLE endpoints (
	name TEXT NOT NULL, 
	model TEXT NOT NULL, 
	variants TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_endpoints PRIMARY KEY (name)
);
INSERT INTO "endpoints" VALUES('even','even','[{"name":"even-1","role":"live","share":1.0,"version":"even@1"}]',1,1704067200000000,1704067200000000);
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
INSERT INTO "events" VALUES(1,1704067200000000,1795223720719367,'dataset.committed','dataset/rows','user:root','{"id":"01a1fbac12da7001a6005aa6cc8f69c3","dataset":"rows","number":1,"digest":"175a138ac4c3fa77716e012a4f763f47dce7b966e25c768c59dda828eb8406e9","files":[{"path":"table.parquet","digest":"78a36d3276c8028b74b59f097811be11c096b2c35004d4a18ee1318a74fa1c8d","size_bytes":957}],"table":"78a36d3276c8028b74b59f097811be11c096b2c35004d4a18ee1318a74fa1c8d","columns":[{"name":"x","type":"double"},{"name":"y","type":"int64"}],"rows":400,"size_bytes":957,"message":"first","code_commit":"549e4e1969a5f7eaf15a140b9eb68fa33db35236"}','0000000000000000000000000000000000000000000000000000000000000000','a8fb0a5098c5a5a76cf6806ae00df3067a16c1c0110c378b60b5e1430ebf2581');
INSERT INTO "events" VALUES(2,1704067200000000,1795223720729626,'contract.set','dataset/rows','user:root','{"dataset":"rows","number":1,"digest":"69a12d4d9ccef3b5b862b334b9a4e9743a6f814b4f47b61195a2c1579c85f285","body":{"table":{"min_rows":200,"min_rows_per_day":null,"max_age_hours":null},"columns":[{"name":"x","type":"number","role":"","max_null_share":0.02,"low":0.0,"high":48.0,"max_outside_share":0.01,"categories":[],"max_new_share":0.0,"unique":false,"max_daily_step":null},{"name":"y","type":"integer","role":"target","max_null_share":1.0,"low":0.0,"high":3.0,"max_outside_share":0.01,"categories":[],"max_new_share":0.0,"unique":false,"max_daily_step":null}],"label":{"column":"y","positive":null,"above":null,"low":0.152,"high":0.848,"constant_days":0.0}}}','a8fb0a5098c5a5a76cf6806ae00df3067a16c1c0110c378b60b5e1430ebf2581','19425412fe9013a568482312d10780ec3028272f6c990c61760cece75089fea5');
INSERT INTO "events" VALUES(3,1704067200000000,1795223720732838,'dataset.validated','dataset/rows','user:root','{"id":"01a1fbac131c700290d9e63f9c5576c1","dataset":"rows","version_number":1,"contract_number":1,"verdict":"pass","findings":[]}','19425412fe9013a568482312d10780ec3028272f6c990c61760cece75089fea5','c7656ee79a5c553a38a88e45cb706837bc1fc421ae66399c46ee03d37134ef07');
INSERT INTO "events" VALUES(4,1704067200000000,1795223720737790,'experiment.created','experiment/even','user:root','{"id":"01a1fbac131f7002b9dd3025fe752ec7","name":"even"}','c7656ee79a5c553a38a88e45cb706837bc1fc421ae66399c46ee03d37134ef07','38815af863a904cc88c549aeaabe6f13eab0d11e0cbe3c08349467412661535d');
INSERT INTO "events" VALUES(5,1704067200000000,1795223720737790,'run.started','run/01a1fbac131f7001ba955bdb520a630b','user:root','{"run_id":"01a1fbac131f7001ba955bdb520a630b","experiment":"even","name":"by hand","parent_id":null,"params":{"depth":"3"},"tags":{"treadle.code.commit":"549e4e1969a5f7eaf15a140b9eb68fa33db35236","treadle.code.diff":"923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0","treadle.os":"Linux 6.18.44-fc-v657 x86_64","treadle.packages":"551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522","treadle.python":"3.11.7"},"artifacts":[{"path":"code/uncommitted.diff","digest":"923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0","size_bytes":122522},{"path":"environment/packages.txt","digest":"551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522","size_bytes":2251}]}','38815af863a904cc88c549aeaabe6f13eab0d11e0cbe3c08349467412661535d','47a9cf139c6976c76a911d3d8051bbdb45b2da2cf13c94e3caa1ecfb80e0068a');
INSERT INTO "events" VALUES(6,1704067200000000,1795223720741459,'artifact.logged','run/01a1fbac131f7001ba955bdb520a630b','user:root','{"run_id":"01a1fbac131f7001ba955bdb520a630b","path":"note.txt","digest":"5e6f1a1a18575bd6705c9f36b25b50795525dc34e37f11bcbf0ff4bb1ff690e5","size_bytes":4}','47a9cf139c6976c76a911d3d8051bbdb45b2da2cf13c94e3caa1ecfb80e0068a','47d3b61b6fc618ddc576cc760053c8be2425298b3fa0e2385ac3f3075b160fa5');
INSERT INTO "events" VALUES(7,1704067200000000,1795223720744690,'run.ended','run/01a1fbac131f7001ba955bdb520a630b','user:root','{"run_id":"01a1fbac131f7001ba955bdb520a630b","status":"finished","error":"","metrics":{"loss":0.7}}','47d3b61b6fc618ddc576cc760053c8be2425298b3fa0e2385ac3f3075b160fa5','7307d366fea9c7ba5c834cdbf98ce16b76d3efe939e938745419fe758b43a2d0');
INSERT INTO "events" VALUES(8,1704067200000000,1795223720751457,'endpoint.created','endpoint/even','user:root','{"name":"even","model":"even"}','7307d366fea9c7ba5c834cdbf98ce16b76d3efe939e938745419fe758b43a2d0','071c8741d87320375d9007925b8ba49a3eea5103fce1821f2f8d7579301d2f29');
INSERT INTO "events" VALUES(9,1704067200000000,1795223720751457,'monitor.created','monitor/even','user:root','{"monitor":{"name":"even","endpoint":"even","rules":{"window_days":7,"label_delay_days":1,"calibration_band":1.5,"loss_tolerance":0.05,"distance_threshold":0.25,"minimum_labels":200,"level":0.95},"reference":null,"created_at":1704067200000000}}','071c8741d87320375d9007925b8ba49a3eea5103fce1821f2f8d7579301d2f29','798f4707b10fac462ca8d09635cc09f7665ef1262051259295bec5d9373e774c');
INSERT INTO "events" VALUES(10,1704067200000000,1795223720751457,'policy.set','endpoint/even','user:root','{"policy":{"endpoint":"even","model":"even","data":{},"contract":{"dataset":"","roles":{}},"gates":{"leak":true,"beats_baseline":"","baseline_margin":0.0,"minimum":{},"maximum":{},"contract":true},"labels":{"dataset":"truth","key":"key","label":"label"},"release":{"test":"superiority","margin":0.0,"level":0.95,"looks":[14],"shadow_labels":1000,"canary_share":0.1,"canary_requests":100,"maximum_error_rate":0.01,"tolerated_latency_ms":10.0,"maximum_latency_ratio":3.0},"monitor":{"window_days":7,"label_delay_days":1,"calibration_band":1.5,"loss_tolerance":0.05,"distance_threshold":0.25,"minimum_labels":200,"level":0.95},"retrain":{"pipeline":"","on_alert":true,"every_days":28,"cooldown_days":14,"minimum_labels":1000}},"digest":"edfdaeeca6767f45b22fe7fbc14f4b6e60ee75b6cf282f0f902efbc5d397fd51"}','798f4707b10fac462ca8d09635cc09f7665ef1262051259295bec5d9373e774c','5b721d10da0dfef8b6c552f955db6682d61aa60cc45217ac56efff775051c48d');
INSERT INTO "events" VALUES(11,1704067200000000,1795223720753740,'run.started','run/01a1fbac13317001af474829fc6119db','user:root','{"run_id":"01a1fbac13317001af474829fc6119db","experiment":"even","name":"first","parent_id":null,"params":{},"tags":{"treadle.code.commit":"549e4e1969a5f7eaf15a140b9eb68fa33db35236","treadle.code.diff":"923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0","treadle.os":"Linux 6.18.44-fc-v657 x86_64","treadle.packages":"551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522","treadle.python":"3.11.7"},"artifacts":[{"path":"code/uncommitted.diff","digest":"923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0","size_bytes":122522},{"path":"environment/packages.txt","digest":"551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522","size_bytes":2251}]}','5b721d10da0dfef8b6c552f955db6682d61aa60cc45217ac56efff775051c48d','4d39abffc64ba627478b5a0b8656e66dacd9250605c94765dd3a6f6168e0cf90');
INSERT INTO "events" VALUES(12,1704067200000000,1795223720755530,'gate.evaluated','run/01a1fbac13317001af474829fc6119db','user:root','{"report":{"id":"01a1fbac13337002a7b7361c51fcc697","run_id":"01a1fbac13317001af474829fc6119db","model":"even","passed":true,"results":[{"gate":"leak","passed":true,"message":"1 features look plausible; the best alone is x (0.501)","evidence":{"probes":[{"auc":0.50115,"gain":0.0,"name":"x","reason":"x is plausible: alone it reaches AUC 0.501.","status":"plausible"}]}},{"gate":"contract","passed":true,"message":"0 dataset versions keep their contract, none quarantined","evidence":{"broken":{},"datasets":[]}}],"at":1704067200000000}}','4d39abffc64ba627478b5a0b8656e66dacd9250605c94765dd3a6f6168e0cf90','56c76cb6f36ee26f8a9486dc4044255dea8cfea7cb94427a0a43c2060453635b');
INSERT INTO "events" VALUES(13,1704067200000000,1795223720775344,'model.created','model/even','user:root','{"name":"even"}','56c76cb6f36ee26f8a9486dc4044255dea8cfea7cb94427a0a43c2060453635b','6789235edc0383106c432a92abcca1347098e20ee83c38efab13ebafead61363');
INSERT INTO "events" VALUES(14,1704067200000000,1795223720775344,'model.version_registered','model/even','user:root','{"name":"even","number":1,"version":{"id":"01a1fbac13457002ba84ce07cbc03240","model":"even","number":1,"run_id":"01a1fbac13317001af474829fc6119db","flavor":"callable","files":[{"path":"model/model.pkl","digest":"a6d9540404778f2c92744870ca570c6a24bdc5cee982913dc1f818209de53fda","size_bytes":870},{"path":"example/inputs.arrow","digest":"32d4d8aba4435f082255a44b941734763f79a3a723c86b04fedc1b647b3b89fc","size_bytes":482},{"path":"example/answers.npy","digest":"eaefaa2bd439e28547cdfcf6d72a7c3cfcea6d249fe69629c97b68576268db52","size_bytes":168}],"digest":"9783fb4fc67ff4c4e30469fa4ea22f09248d4eb90d43ee4e7990a0d2f3a845b3","signature":{"inputs":[{"name":"x","type":"double"}],"output":"probability"},"key_id":"0753366b27383c8f","signed":"ccc9f626d921ef412667c1e7fca808e69fd4652cf954d08ae7411c6918591c26d650db515464996fef8939e2643d20e5a39c93c7e80fc0d285818730b263eb00","description":"","metadata":{"format":"cloudpickle","libraries":{"cloudpickle":"3.1.2","python":"3.11.7"}},"created_at":1704067200000000,"actor":"user:root"}}','6789235edc0383106c432a92abcca1347098e20ee83c38efab13ebafead61363','ef24e50f39f6620f013307115857a151ce1a556a853d45c8a62c47c0bb482660');
INSERT INTO "events" VALUES(15,1704067200000000,1795223720777326,'run.ended','run/01a1fbac13317001af474829fc6119db','user:root','{"run_id":"01a1fbac13317001af474829fc6119db","status":"finished","error":"","metrics":{"auc":0.5}}','ef24e50f39f6620f013307115857a151ce1a556a853d45c8a62c47c0bb482660','47943f3b680017ca817fca30c46f0700fbc553f9af5ae7a6a58b15285f64c11d');
INSERT INTO "events" VALUES(16,1704067200000000,1795223720784065,'model.alias_set','model/even','user:root','{"name":"even","alias":"champion","number":1,"previous":null}','47943f3b680017ca817fca30c46f0700fbc553f9af5ae7a6a58b15285f64c11d','cfd946f231daf37f2ea2d3f7a238f5ff22fefd2695ec8307ccaf16598bc38b88');
INSERT INTO "events" VALUES(17,1704067200000000,1795223720784065,'endpoint.traffic_set','endpoint/even','user:root','{"name":"even","revision":1,"variants":[{"name":"even-1","version":"even@1","share":1.0,"role":"live"}],"reason":"live: first version","release_id":"01a1fbac134d7003abc56ae07f438678"}','cfd946f231daf37f2ea2d3f7a238f5ff22fefd2695ec8307ccaf16598bc38b88','c7bf3cba6625af27559d5b52c825f442e6a43962debfbfd55528f70058d979da');
INSERT INTO "events" VALUES(18,1704067200000000,1795223720784065,'release.moved','endpoint/even','user:root','{"release":{"id":"01a1fbac134d7003abc56ae07f438678","endpoint":"even","candidate":"even@1","champion":"","why":"first version","state":"live","stages":[{"name":"gates","started_at":1704067200000000,"ended_at":1704067200000000,"passed":true,"verdict":"all 2 gates passed","evidence":{"report":"01a1fbac13337002a7b7361c51fcc697"}},{"name":"live","started_at":1704067200000000,"ended_at":null,"passed":true,"verdict":"serves all traffic","evidence":{}}],"reason":"all 2 gates passed","created_at":1704067200000000,"ended_at":1704067200000000}}','c7bf3cba6625af27559d5b52c825f442e6a43962debfbfd55528f70058d979da','9feeef3c1b259b6562b713d6bda71a246c21452df800a20ecf8bb3748a81d857');
INSERT INTO "events" VALUES(19,1704067200000000,1795223720797104,'predictions.logged','endpoint/even','user:root','{"endpoint":"even","part":"01a1fbac135c7001b311396ee42b088f","source":"even/01a1fbac13527001be2ee51ebc369cc3","piece":0,"rows":400,"shadows_dropped":0,"first_id":"01a1fbac135470018d81f6f5c668ff94","last_id":"01a1fbac135470018d81f88470b9fbe2","first_at":1704067200000000,"last_at":1704411936000000,"digest":"a6c9f16916d3c3c5e84d4671231a1a800ce73af910bedc8cbc53ba4c791af0b5","size_bytes":6388,"damaged_bytes":0}','9feeef3c1b259b6562b713d6bda71a246c21452df800a20ecf8bb3748a81d857','e906009a09be3e4c8fca3a33036114d540c503c4f19d2d0060cfe3805aa874ab');
INSERT INTO "events" VALUES(20,1704758400000000,1795223720799984,'dataset.committed','dataset/truth','user:root','{"id":"01a1fbac135f70009d64dd96dfd53154","dataset":"truth","number":1,"digest":"b15a76cc997541ce0e1e6702ee20f66622427bfa9667485a7d763a4beb79bc5b","files":[{"path":"table.parquet","digest":"9771ecb6cd9b8d1b41df45ca5fcff20ce8f6ff1c1197d7f7b38d438b0b03e583","size_bytes":1504}],"table":"9771ecb6cd9b8d1b41df45ca5fcff20ce8f6ff1c1197d7f7b38d438b0b03e583","columns":[{"name":"key","type":"string"},{"name":"label","type":"int64"}],"rows":400,"size_bytes":1504,"message":"","code_commit":"549e4e1969a5f7eaf15a140b9eb68fa33db35236"}','e906009a09be3e4c8fca3a33036114d540c503c4f19d2d0060cfe3805aa874ab','3c88c49415cb65d981ebfa06d0ca2ac7b5e4f7f55facd6d32ec8c24bdf7b031c');
INSERT INTO "events" VALUES(21,1704758400000000,1795223720813242,'labels.joined','endpoint/even','policy:even','{"endpoint":"even","batch":"01a1fbac136c7002bb4ed359d3d8f434","source_ref":"truth@1","state":"accepted","rows":400,"joined":400,"arrived_at":1704758400000000,"first_at":1704067200000000,"last_at":1704411936000000,"digest":"69973000a780de6ca4b2135945d9b37a7432f6b35b0aedbdb6caf05ab672070c"}','3c88c49415cb65d981ebfa06d0ca2ac7b5e4f7f55facd6d32ec8c24bdf7b031c','56a932c0c00dc26c9e0cda2fb0daa0551d3d94aa31bdccc84d0e84e3c57890be');
INSERT INTO "events" VALUES(22,1704758400000000,1795223720823659,'monitor.window_evaluated','monitor/even','policy:even','{"monitor":"even","start":1704067200000000,"end":1704672000000000,"state":"ok","rows":400,"labelled":400,"log_loss":0.6931471805599452,"calibration":1.0,"distance_max":0.0}','56a932c0c00dc26c9e0cda2fb0daa0551d3d94aa31bdccc84d0e84e3c57890be','30a1dc1eed193795f537b9e9bef875a369a3c27252b1a3f377dbc01f9bfb467f');
CREATE TABLE experiments (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	lifecycle_stage TEXT DEFAULT 'active' NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_experiments PRIMARY KEY (id), 
	CONSTRAINT uq_experiments_name UNIQUE (name)
);
INSERT INTO "experiments" VALUES('01a1fbac131f7002b9dd3025fe752ec7','even','active',1704067200000000,1704067200000000);
CREATE TABLE gate_reports (
	id TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	passed BOOLEAN NOT NULL, 
	results TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_gate_reports PRIMARY KEY (id)
);
INSERT INTO "gate_reports" VALUES('01a1fbac13337002a7b7361c51fcc697','01a1fbac13317001af474829fc6119db','even',1,'[{"evidence":{"probes":[{"auc":0.50115,"gain":0.0,"name":"x","reason":"x is plausible: alone it reaches AUC 0.501.","status":"plausible"}]},"gate":"leak","message":"1 features look plausible; the best alone is x (0.501)","passed":true},{"evidence":{"broken":{},"datasets":[]},"gate":"contract","message":"0 dataset versions keep their contract, none quarantined","passed":true}]',1704067200000000);
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
INSERT INTO "keys" VALUES('0753366b27383c8f','0753366b27383c8f5e10c0e670b869426468ed3fb867b13934978b3fa32bb6de',1704067200000000);
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
INSERT INTO "label_parts" VALUES('01a1fbac136c7002bb4ed359d3d8f434','even','truth@1','accepted',400,400,1704758400000000,1704067200000000,1704411936000000,'69973000a780de6ca4b2135945d9b37a7432f6b35b0aedbdb6caf05ab672070c');
CREATE TABLE metric_points (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	step BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	value DOUBLE NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	CONSTRAINT pk_metric_points PRIMARY KEY (run_id, "key", step, at, value, is_nan)
)
 WITHOUT ROWID

;
INSERT INTO "metric_points" VALUES('01a1fbac131f7001ba955bdb520a630b','loss',1,1704067200000000,0.7,0);
INSERT INTO "metric_points" VALUES('01a1fbac13317001af474829fc6119db','auc',0,1704067200000000,0.5,0);
CREATE TABLE model_aliases (
	model TEXT NOT NULL, 
	alias TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	set_at BIGINT NOT NULL, 
	CONSTRAINT pk_model_aliases PRIMARY KEY (model, alias)
);
INSERT INTO "model_aliases" VALUES('even','champion',1,1704067200000000);
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
	CONSTRAINT pk_model_versions PRIMARY KEY (id), 
	CONSTRAINT uq_model_versions_model_number UNIQUE (model, number)
);
INSERT INTO "model_versions" VALUES('01a1fbac13457002ba84ce07cbc03240','even',1,'01a1fbac13317001af474829fc6119db','callable','[{"digest":"a6d9540404778f2c92744870ca570c6a24bdc5cee982913dc1f818209de53fda","path":"model/model.pkl","size_bytes":870},{"digest":"32d4d8aba4435f082255a44b941734763f79a3a723c86b04fedc1b647b3b89fc","path":"example/inputs.arrow","size_bytes":482},{"digest":"eaefaa2bd439e28547cdfcf6d72a7c3cfcea6d249fe69629c97b68576268db52","path":"example/answers.npy","size_bytes":168}]','9783fb4fc67ff4c4e30469fa4ea22f09248d4eb90d43ee4e7990a0d2f3a845b3','{"inputs":[{"name":"x","type":"double"}],"output":"probability"}','0753366b27383c8f','ccc9f626d921ef412667c1e7fca808e69fd4652cf954d08ae7411c6918591c26d650db515464996fef8939e2643d20e5a39c93c7e80fc0d285818730b263eb00','','{"format":"cloudpickle","libraries":{"cloudpickle":"3.1.2","python":"3.11.7"}}',1704067200000000,'user:root');
CREATE TABLE models (
	name TEXT NOT NULL, 
	latest INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (name)
);
INSERT INTO "models" VALUES('even',1,1704067200000000,1704067200000000);
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
INSERT INTO "monitors" VALUES('even','even','{"calibration_band":1.5,"distance_threshold":0.25,"label_delay_days":1,"level":0.95,"loss_tolerance":0.05,"minimum_labels":200,"window_days":7}',NULL,1704067200000000);
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
INSERT INTO "policies" VALUES('even','{"contract":{"dataset":"","roles":{}},"data":{},"endpoint":"even","gates":{"baseline_margin":0.0,"beats_baseline":"","contract":true,"leak":true,"maximum":{},"minimum":{}},"labels":{"dataset":"truth","key":"key","label":"label"},"model":"even","monitor":{"calibration_band":1.5,"distance_threshold":0.25,"label_delay_days":1,"level":0.95,"loss_tolerance":0.05,"minimum_labels":200,"window_days":7},"release":{"canary_requests":100,"canary_share":0.1,"level":0.95,"looks":[14],"margin":0.0,"maximum_error_rate":0.01,"maximum_latency_ratio":3.0,"shadow_labels":1000,"test":"superiority","tolerated_latency_ms":10.0},"retrain":{"cooldown_days":14,"every_days":28,"minimum_labels":1000,"on_alert":true,"pipeline":""}}','edfdaeeca6767f45b22fe7fbc14f4b6e60ee75b6cf282f0f902efbc5d397fd51',1704067200000000,NULL,'');
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
INSERT INTO "prediction_parts" VALUES('01a1fbac135c7001b311396ee42b088f','even','even/01a1fbac13527001be2ee51ebc369cc3',0,'01a1fbac135470018d81f6f5c668ff94','01a1fbac135470018d81f88470b9fbe2',1704067200000000,1704411936000000,400,0,'a6c9f16916d3c3c5e84d4671231a1a800ce73af910bedc8cbc53ba4c791af0b5',6388,1704067200000000);
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
INSERT INTO "releases" VALUES('01a1fbac134d7003abc56ae07f438678','even','even@1','','first version','live','[{"ended_at":1704067200000000,"evidence":{"report":"01a1fbac13337002a7b7361c51fcc697"},"name":"gates","passed":true,"started_at":1704067200000000,"verdict":"all 2 gates passed"},{"ended_at":null,"evidence":{},"name":"live","passed":true,"started_at":1704067200000000,"verdict":"serves all traffic"}]','all 2 gates passed',1704067200000000,1704067200000000);
CREATE TABLE run_artifacts (
	run_id TEXT NOT NULL, 
	path TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	logged_at BIGINT NOT NULL, 
	CONSTRAINT pk_run_artifacts PRIMARY KEY (run_id, path)
);
INSERT INTO "run_artifacts" VALUES('01a1fbac131f7001ba955bdb520a630b','code/uncommitted.diff','923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0',122522,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a1fbac131f7001ba955bdb520a630b','environment/packages.txt','551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522',2251,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a1fbac131f7001ba955bdb520a630b','note.txt','5e6f1a1a18575bd6705c9f36b25b50795525dc34e37f11bcbf0ff4bb1ff690e5',4,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a1fbac13317001af474829fc6119db','code/uncommitted.diff','923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0',122522,1704067200000000);
INSERT INTO "run_artifacts" VALUES('01a1fbac13317001af474829fc6119db','environment/packages.txt','551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522',2251,1704067200000000);
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
INSERT INTO "run_metrics" VALUES('01a1fbac131f7001ba955bdb520a630b','loss',0.7,0,1,1704067200000000);
INSERT INTO "run_metrics" VALUES('01a1fbac13317001af474829fc6119db','auc',0.5,0,0,1704067200000000);
CREATE TABLE run_params (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_run_params PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID

;
INSERT INTO "run_params" VALUES('01a1fbac131f7001ba955bdb520a630b','depth','3');
CREATE TABLE run_tags (
	run_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_run_tags PRIMARY KEY (run_id, "key")
)
 WITHOUT ROWID

;
INSERT INTO "run_tags" VALUES('01a1fbac131f7001ba955bdb520a630b','treadle.code.commit','549e4e1969a5f7eaf15a140b9eb68fa33db35236');
INSERT INTO "run_tags" VALUES('01a1fbac131f7001ba955bdb520a630b','treadle.code.diff','923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0');
INSERT INTO "run_tags" VALUES('01a1fbac131f7001ba955bdb520a630b','treadle.os','Linux 6.18.44-fc-v657 x86_64');
INSERT INTO "run_tags" VALUES('01a1fbac131f7001ba955bdb520a630b','treadle.packages','551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522');
INSERT INTO "run_tags" VALUES('01a1fbac131f7001ba955bdb520a630b','treadle.python','3.11.7');
INSERT INTO "run_tags" VALUES('01a1fbac13317001af474829fc6119db','treadle.code.commit','549e4e1969a5f7eaf15a140b9eb68fa33db35236');
INSERT INTO "run_tags" VALUES('01a1fbac13317001af474829fc6119db','treadle.code.diff','923d33dc8d39d800b23b4c7015262f3f93897589b7026813ca9c1b3ae683eec0');
INSERT INTO "run_tags" VALUES('01a1fbac13317001af474829fc6119db','treadle.os','Linux 6.18.44-fc-v657 x86_64');
INSERT INTO "run_tags" VALUES('01a1fbac13317001af474829fc6119db','treadle.packages','551706af2b066117f791ed7f3c1710fac98d6329f34a4efd3071d718b434d522');
INSERT INTO "run_tags" VALUES('01a1fbac13317001af474829fc6119db','treadle.python','3.11.7');
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
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('01a1fbac131f7001ba955bdb520a630b','01a1fbac131f7002b9dd3025fe752ec7','by hand','finished','active',NULL,'user:root',1704067200000000,1704067200000000,'');
INSERT INTO "runs" VALUES('01a1fbac13317001af474829fc6119db','01a1fbac131f7002b9dd3025fe752ec7','first','finished','active',NULL,'user:root',1704067200000000,1704067200000000,'');
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
INSERT INTO "validations" VALUES('01a1fbac131c700290d9e63f9c5576c1','rows',1,1,'pass','[{"check":"rows","column":"","counted":0,"examples":[],"message":"400 rows; at least 200 are expected.","total":200,"verdict":"pass"},{"check":"columns","column":"","counted":0,"examples":[],"message":"All columns are there.","total":2,"verdict":"pass"},{"check":"type","column":"x","counted":0,"examples":[],"message":"It is double, as expected.","total":400,"verdict":"pass"},{"check":"nulls","column":"x","counted":0,"examples":[],"message":"0 of 400 have no value (0.00%); 2.00% are allowed.","total":400,"verdict":"pass"},{"check":"range","column":"x","counted":0,"examples":[],"message":"0 of 400 values lie outside 0 to 48 (0.00%; 1.00% are allowed).","total":400,"verdict":"pass"},{"check":"type","column":"y","counted":0,"examples":[],"message":"It is int64, as expected.","total":400,"verdict":"pass"},{"check":"nulls","column":"y","counted":0,"examples":[],"message":"0 of 400 have no value (0.00%); 100.00% are allowed.","total":400,"verdict":"pass"},{"check":"range","column":"y","counted":0,"examples":[],"message":"0 of 400 values lie outside 0 to 3 (0.00%; 1.00% are allowed).","total":400,"verdict":"pass"},{"check":"labelled","column":"y","counted":0,"examples":[],"message":"All 400 rows are labelled.","total":400,"verdict":"pass"},{"check":"constant","column":"y","counted":0,"examples":[],"message":"The labels are not all equal.","total":400,"verdict":"pass"},{"check":"rate","column":"y","counted":0,"examples":[],"message":"The rate of 400 labels is 0.5 (0.4188 to 0.5812); a day may show 0.152 to 0.848.","total":400,"verdict":"pass"}]',1704067200000000);
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
INSERT INTO "windows" VALUES('01a1fbac13757000b40f5507e7984414','even',1704067200000000,1704672000000000,'ok',400,'{"at":1704758400000000,"auc":0.5,"calibration":{"estimate":1.0,"high":1.0,"low":1.0},"distances":[],"end":1704672000000000,"excess_loss":null,"findings":[],"id":"01a1fbac13757000b40f5507e7984414","labelled":400,"log_loss":0.6931471805599452,"monitor":"even","observed_rate":0.5,"predicted_rate":0.5,"quarantined":0,"rows":400,"start":1704067200000000,"state":"ok","unexpected_loss":{"estimate":0.0,"high":0.0,"low":0.0},"version":"even@1"}');
CREATE INDEX ix_alerts_endpoint ON alerts (endpoint);
CREATE INDEX ix_alerts_monitor ON alerts (monitor);
CREATE INDEX ix_events_at ON events (at);
CREATE INDEX ix_events_kind_seq ON events (kind, seq);
CREATE INDEX ix_events_subject_seq ON events (subject, seq);
CREATE INDEX ix_gate_reports_run_id ON gate_reports (run_id);
CREATE INDEX ix_jobs_state_ready_at ON jobs (state, ready_at);
CREATE UNIQUE INDEX uq_jobs_key ON jobs ("key") WHERE state IN ('queued', 'running', 'done');
CREATE INDEX ix_label_parts_endpoint_at ON label_parts (endpoint, at);
CREATE INDEX ix_model_versions_run_id ON model_versions (run_id);
CREATE INDEX ix_monitors_endpoint ON monitors (endpoint);
CREATE INDEX ix_pipeline_runs_name ON pipeline_runs (name, id);
CREATE INDEX ix_pipeline_runs_run_id ON pipeline_runs (run_id);
CREATE INDEX ix_pipeline_runs_state ON pipeline_runs (state);
CREATE INDEX ix_prediction_parts_endpoint_last_at ON prediction_parts (endpoint, last_at);
CREATE INDEX ix_prediction_parts_last_id ON prediction_parts (last_id);
CREATE INDEX ix_releases_endpoint_id ON releases (endpoint, id);
CREATE INDEX ix_run_artifacts_digest ON run_artifacts (digest);
CREATE INDEX ix_run_inputs_digest ON run_inputs (digest);
CREATE INDEX ix_run_inputs_ref ON run_inputs (ref);
CREATE INDEX ix_run_metrics_key_value ON run_metrics ("key", value);
CREATE INDEX ix_runs_experiment_started ON runs (experiment_id, started_at, id);
CREATE INDEX ix_runs_parent_id ON runs (parent_id);
CREATE INDEX ix_runs_started ON runs (started_at, id);
CREATE UNIQUE INDEX uq_windows_monitor_start ON windows (monitor, start, "end");
CREATE INDEX ix_quarantines_dataset_version ON quarantines (dataset, version_number);
CREATE INDEX ix_validations_dataset_version ON validations (dataset, version_number);
COMMIT;
