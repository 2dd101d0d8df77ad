CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE cases (
	estate VARCHAR(64) NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	remedy VARCHAR(100) NOT NULL, 
	revision INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	since VARCHAR(27) NOT NULL, 
	reason TEXT NOT NULL, 
	flags TEXT NOT NULL, 
	waiting_for TEXT NOT NULL, 
	exposed_at VARCHAR(27), 
	mitigated_at VARCHAR(27), 
	installed_at VARCHAR(27), 
	effective_at VARCHAR(27), 
	lifted_at VARCHAR(27), 
	answered_at VARCHAR(27), 
	mitigations TEXT NOT NULL, 
	PRIMARY KEY (estate, host, remedy)
);
INSERT INTO "cases" VALUES('default','B-host','CVE-2023-44487',1,'exposed','2026-11-21T12:00:00.000000Z','nginx 1 < 2','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','a-host','CVE-2023-44487',1,'exposed','2026-11-21T12:00:00.000000Z','nginx 1 < 2','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','cache1','CVE-2023-44487',1,'exposed','2026-11-21T12:30:00.000000Z','mitigation lost, fix absent: limits is gone from the host''s journal','["mitigation_lost"]','fix not tried yet','2026-11-21T12:00:00.000000Z','2026-11-21T12:02:00.000000Z',NULL,NULL,NULL,'2026-11-21T12:30:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','db 1','CVE-2022-0543',1,'exposed','2026-11-21T12:00:00.000000Z','mitigation applied, not proven','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[{"id": "limits", "entry": "E1", "state": "applied", "applied_at": "2026-11-21T12:10:00.000000Z", "owner": "ann", "expires_at": "2026-11-28T12:00:00.000000Z", "persists": "until_reboot", "proof": "", "proof_reason": "", "proven_at": null}]');
INSERT INTO "cases" VALUES('default','db 1','CVE-2023-44487',1,'exposed','2026-11-21T12:00:00.000000Z','nginx 1 < 2','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','gone1','CVE-2023-44487',1,'unknown','2026-11-21T12:03:00.000000Z','unreachable; last known: exposed','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','naïve-хост','CVE-2021-3156',1,'not_affected','2026-11-21T12:00:00.000000Z','nginx 1 < 2','[]','',NULL,NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','naïve-хост','CVE-2023-44487',1,'exposed','2026-11-21T12:00:00.000000Z','O''Brien said "no"; -- DROP TABLE events; 100% \ 日本語 [red]x[/red]','[]','fix not tried yet','2026-11-21T12:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T12:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('default','web1','CVE-2023-44487',1,'mitigated','2026-11-21T12:02:00.000000Z','limits proven in force','[]','nginx: candidate 1.22.1-9 < required 1.22.1-9+deb12u1','2026-11-21T12:00:00.000000Z','2026-11-21T12:02:00.000000Z',NULL,NULL,NULL,'2026-11-21T12:02:00.000000Z','[{"id": "limits", "entry": "E1", "state": "applied", "applied_at": "2026-11-21T12:01:00.000000Z", "owner": "ann", "expires_at": "2026-11-28T12:00:00.000000Z", "persists": "until_reboot", "proof": "pass", "proof_reason": "nginx 1 < 2", "proven_at": "2026-11-21T12:02:00.000000Z"}]');
INSERT INTO "cases" VALUES('default','web2','CVE-2023-44487',1,'exposed','2026-11-21T13:00:00.000000Z','fix gone: nginx 1.18 < 1.22: a restored image','["regressed"]','fix gone: nginx 1.18 < 1.22: a restored image','2026-11-21T13:00:00.000000Z',NULL,NULL,NULL,NULL,'2026-11-21T13:00:00.000000Z','[]');
INSERT INTO "cases" VALUES('ops-zürich','web1','CVE-2023-44487',1,'fixed','2026-11-21T12:06:00.000000Z','fix proven in effect','[]','','2026-11-21T12:00:00.000000Z','2026-11-21T12:02:00.000000Z','2026-11-21T12:04:00.000000Z','2026-11-21T12:06:00.000000Z','2026-11-21T12:08:00.000000Z','2026-11-21T12:06:00.000000Z','[]');
CREATE TABLE events (
	id VARCHAR(36) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	estate VARCHAR(64) NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	remedy VARCHAR(100) NOT NULL, 
	revision INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	actor VARCHAR(255) NOT NULL, 
	run VARCHAR(36) NOT NULL, 
	origin VARCHAR(16) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000001','2026-11-21T12:00:00.000000Z','default','web1','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000002','2026-11-21T12:01:00.000000Z','default','web1','CVE-2023-44487',1,'mitigation','intended','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":0,"heard_at":"2026-11-21T12:01:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000003','2026-11-21T12:01:00.000000Z','default','web1','CVE-2023-44487',1,'mitigation','applied','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":1,"heard_at":"2026-11-21T12:01:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000004','2026-11-21T12:02:00.000000Z','default','web1','CVE-2023-44487',1,'verified','pass','nginx 1 < 2','{"phase":"mitigation","entry":"E1","mitigation":"limits"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000005','2026-11-21T12:03:00.000000Z','default','web1','CVE-2023-44487',1,'patch','refused','nginx: candidate 1.22.1-9 < required 1.22.1-9+deb12u1','{}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000006','2026-11-21T12:00:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000007','2026-11-21T12:01:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'mitigation','applied','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":1,"heard_at":"2026-11-21T12:01:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000008','2026-11-21T12:02:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'verified','pass','nginx 1 < 2','{"phase":"mitigation","entry":"E1","mitigation":"limits"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000009','2026-11-21T12:04:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'patch','installed','nginx 1 < 2','{}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000a','2026-11-21T12:05:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'assessed','patched','nginx 1 < 2','{"code":"awaiting_proof"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000b','2026-11-21T12:06:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'verified','pass','nginx 1 < 2','{"phase":"fix"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000c','2026-11-21T12:07:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'mitigation','lifting','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":2,"heard_at":"2026-11-21T12:07:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000d','2026-11-21T12:08:00.000000Z','ops-zürich','web1','CVE-2023-44487',1,'mitigation','lifted','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":3,"heard_at":"2026-11-21T12:08:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000e','2026-11-21T12:00:00.000000Z','default','web2','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000000f','2026-11-21T12:01:00.000000Z','default','web2','CVE-2023-44487',1,'patch','installed','nginx 1 < 2','{}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000010','2026-11-21T12:02:00.000000Z','default','web2','CVE-2023-44487',1,'assessed','patched','nginx 1 < 2','{"code":"awaiting_proof"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000011','2026-11-21T12:03:00.000000Z','default','web2','CVE-2023-44487',1,'verified','pass','nginx 1 < 2','{"phase":"fix"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000012','2026-11-21T13:00:00.000000Z','default','web2','CVE-2023-44487',1,'assessed','exposed','nginx 1.18 < 1.22: a restored image','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000013','2026-11-21T12:00:00.000000Z','default','db 1','CVE-2022-0543',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000014','2026-11-21T12:10:00.000000Z','default','db 1','CVE-2022-0543',1,'mitigation','applied','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":1,"heard_at":"2026-11-22T13:00:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000015','2026-11-22T13:01:00.000000Z','default','db 1','',1,'journal','seen','nginx 1 < 2','{"in_force":[["CVE-2022-0543","E1"]]}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000016','2026-11-21T12:00:00.000000Z','default','db 1','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000017','2026-11-21T12:00:00.000000Z','default','cache1','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000018','2026-11-21T12:01:00.000000Z','default','cache1','CVE-2023-44487',1,'mitigation','applied','nginx 1 < 2','{"mitigation":"limits","entry":"E1","owner":"ann","persists":"until_reboot","expires_at":"2026-11-28T12:00:00.000000Z","step":1,"heard_at":"2026-11-21T12:01:00.000000Z"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000019','2026-11-21T12:02:00.000000Z','default','cache1','CVE-2023-44487',1,'verified','pass','nginx 1 < 2','{"phase":"mitigation","entry":"E1","mitigation":"limits"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001a','2026-11-21T12:30:00.000000Z','default','cache1','CVE-2023-44487',1,'verified','fail','nginx 1 < 2','{"phase":"mitigation","entry":"E1","mitigation":"limits"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001b','2026-11-21T12:40:00.000000Z','default','cache1','',1,'journal','seen','nginx 1 < 2','{"in_force":[]}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001c','2026-11-21T12:00:00.000000Z','default','naïve-хост','CVE-2023-44487',1,'assessed','exposed','O''Brien said "no"; -- DROP TABLE events; 100% \ 日本語 [red]x[/red]','{"code":"below_fixed","said":"''; DELETE FROM events --"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001d','2026-11-21T12:00:00.000000Z','default','naïve-хост','CVE-2021-3156',1,'assessed','not_affected','nginx 1 < 2','{"code":"not_installed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001e','2026-11-21T12:03:00.000000Z','default','gone1','CVE-2023-44487',1,'assessed','unknown','unreachable','{"code":"unreachable"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-00000000001f','2026-11-21T12:00:00.000000Z','default','gone1','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000020','2026-11-21T12:00:00.000000Z','default','B-host','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
INSERT INTO "events" VALUES('01a1ff3a-cf6e-7395-9742-000000000021','2026-11-21T12:00:00.000000Z','default','a-host','CVE-2023-44487',1,'assessed','exposed','nginx 1 < 2','{"code":"below_fixed"}','ann','01a1ff3a-cf6e-7395-9742-248dd26742d3','laptop');
CREATE TABLE pen (
	id INTEGER NOT NULL, 
	taken_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "pen" VALUES(1,'2026-11-22T00:38:21.020448Z');
CREATE INDEX events_of_case ON events (estate, host, remedy);
CREATE INDEX events_of_run ON events (run);
CREATE INDEX cases_by_state ON cases (state);
