-- {schema} is replaced by the name of the schema, {feed} by the number of the
-- lock that orders the feed. Everything that a caller can choose is bytea: it is
-- compared byte by byte, whatever the locale, and may hold any byte.

-- One row. The global epoch changes when everything is revoked, so that reading
-- it with each record costs next to nothing.
CREATE TABLE {schema}.meta (
    id             smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    schema_version integer  NOT NULL,
    global_epoch   bigint   NOT NULL
);

-- One row per session record. The body is the stored form of the record; columns
-- beside it are what the indexes and the atomic steps need, and they overrule
-- it: what is stamped or ended here never has to be written into a body.
CREATE TABLE {schema}.sessions (
    sid           bytea  NOT NULL PRIMARY KEY,
    version       bigint NOT NULL,
    subject       bytea  NOT NULL, -- empty: nobody signed in
    subject_epoch bigint NOT NULL, -- of the subject at creation
    global_epoch  bigint NOT NULL, -- at creation
    created_at    bigint NOT NULL,
    last_active   bigint NOT NULL,
    deadline      bigint NOT NULL, -- the earlier of the idle and the absolute limit
    expires_at    bigint NOT NULL, -- the absolute limit
    due           bigint,          -- when to look at the deadline again, never after it; NULL: has ended
    origin        bytea,           -- nearest record still kept from which this one was handed off
    ended_at      bigint,          -- NULL while the record has not ended
    end_reason    bytea,
    ended_by      bytea,
    body          bytea  NOT NULL
) WITH (fillfactor = 80);

-- Bodies are mostly digests: compressing them is work for nothing.
ALTER TABLE {schema}.sessions ALTER COLUMN body SET STORAGE EXTERNAL;

-- No index holds what activity changes (the deadline is looked up by due, which
-- stays behind), so that a touch writes no index: it fits into the same page,
-- which is why a fifth of each page is left free. The table is not partitioned:
-- reading by key from eight partitions took three times as long.
--
-- Functions look rows up one by one and join no tables: a plan made when a table
-- was small would be kept when it has grown, and a join may have begun at the
-- wrong end.
CREATE INDEX sessions_subject ON {schema}.sessions (subject, sid, ended_at) WHERE subject <> ''::bytea;
CREATE INDEX sessions_due ON {schema}.sessions (global_epoch, due) WHERE due IS NOT NULL;
CREATE INDEX sessions_ended ON {schema}.sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_origin ON {schema}.sessions (origin) WHERE origin IS NOT NULL;

CREATE TABLE {schema}.epochs (
    subject bytea  NOT NULL PRIMARY KEY,
    epoch   bigint NOT NULL
);

-- The revocation feed. The global epoch leads the key: a restored backup is put
-- above every epoch ever used, so its new entries come after every cursor that
-- was handed out before the restore. The newest row is never removed, because
-- the next number is counted from it; when its time is over its kind becomes 0.
CREATE TABLE {schema}.feed (
    epoch      bigint   NOT NULL,
    seq        bigint   NOT NULL,
    kind       smallint NOT NULL,
    sid        bytea    NOT NULL,
    generation bigint   NOT NULL,
    subject    bytea    NOT NULL,
    below      bigint   NOT NULL, -- the epoch below which everything is dead
    key        bytea    NOT NULL,
    reason     bytea    NOT NULL,
    at         bigint   NOT NULL,
    until      bigint   NOT NULL,
    PRIMARY KEY (epoch, seq)
);

CREATE INDEX feed_until ON {schema}.feed (until) WHERE kind <> 0;
CREATE INDEX feed_marks ON {schema}.feed (epoch, seq) WHERE kind = 0;

CREATE TABLE {schema}.once (
    key   bytea  NOT NULL PRIMARY KEY,
    until bigint NOT NULL
);

CREATE INDEX once_until ON {schema}.once (until);

CREATE TABLE {schema}.notes (
    name  bytea NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

INSERT INTO {schema}.meta VALUES (1, 1, 0);
INSERT INTO {schema}.feed VALUES (0, 0, 0, '', 0, '', 0, '', '', 0, 0);

-- What a step answers. A row with op 0 is about the whole step: epoch and seq of
-- the first feed entry appended. A row without a sid is about one op: its status
-- and the number of its last entry. Any other row is a record that the op ended.
CREATE TYPE {schema}.outcome AS (
    op            integer,
    status        integer,
    epoch         bigint,
    seq           bigint,
    sid           bytea,
    version       bigint,
    subject       bytea,
    subject_epoch bigint,
    global_epoch  bigint,
    ended_at      bigint,
    end_reason    bytea,
    ended_by      bytea,
    body          bytea
);

-- lock_subjects waits for whoever else writes records of these subjects (or, of
-- records without one, these SIDs) until the transaction ends. All steps take
-- these locks first and in ascending order. The next statement of a step sees
-- what the others have committed, which needs READ COMMITTED.
CREATE FUNCTION {schema}.lock_subjects(p_names bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'lanyard needs default_transaction_isolation = ''read committed''' USING ERRCODE = '25001';
    END IF;
    PERFORM pg_advisory_xact_lock(q.k)
    FROM (SELECT DISTINCT hashtextextended(encode(n, 'hex'), {feed}) AS k FROM unnest(p_names) n ORDER BY 1) q;
END $$;

-- append_feed appends entries, given as parallel arrays, and returns the place
-- of the first. The lock is held until the transaction ends, so places are given
-- in the order of commits. Every step takes it last.
CREATE FUNCTION {schema}.append_feed(
    p_kinds smallint[], p_sids bytea[], p_generations bigint[], p_subjects bytea[], p_belows bigint[], p_keys bytea[],
    p_reasons bytea[], p_ats bigint[], p_untils bigint[], OUT epoch bigint, OUT seq bigint
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'lanyard needs default_transaction_isolation = ''read committed''' USING ERRCODE = '25001';
    END IF;
    PERFORM pg_advisory_xact_lock({feed});
    SELECT m.global_epoch, h.seq + 1 INTO STRICT epoch, seq
    FROM {schema}.meta m, (SELECT f.seq FROM {schema}.feed f ORDER BY f.epoch DESC, f.seq DESC LIMIT 1) h
    WHERE m.id = 1;
    INSERT INTO {schema}.feed
    SELECT append_feed.epoch, append_feed.seq - 1 + e.n, e.kind, e.sid, e.generation, e.subject, e.below, e.key, e.reason, e.at, e.until
    FROM unnest(p_kinds, p_sids, p_generations, p_subjects, p_belows, p_keys, p_reasons, p_ats, p_untils)
        WITH ORDINALITY AS e(kind, sid, generation, subject, below, key, reason, at, until, n);
END $$;

-- append_ends appends one entry for each record that ended by itself.
CREATE FUNCTION {schema}.append_ends(
    p_sids bytea[], p_reasons bytea[], p_ats bigint[], p_untils bigint[], OUT epoch bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_n integer[] := ARRAY[cardinality(p_sids)];
BEGIN
    SELECT f.epoch, f.seq INTO epoch, seq FROM {schema}.append_feed(
        array_fill(1::smallint, v_n), p_sids, array_fill(0::bigint, v_n), array_fill(''::bytea, v_n), array_fill(0::bigint, v_n),
        array_fill(''::bytea, v_n), p_reasons, p_ats, p_untils) f;
END $$;

-- create_sessions stores records with distinct SIDs, each an op with the number
-- of its place in the arrays. Status: 0 stored (epoch is the subject's and seq
-- the global one), 1 SID taken, 2 over the limit.
CREATE FUNCTION {schema}.create_sessions(
    p_sids bytea[], p_subjects bytea[], p_created bigint[], p_active bigint[], p_deadlines bigint[], p_expires bigint[],
    p_origins bytea[], p_bodies bytea[], p_maxes integer[], p_actions integer[], p_nows bigint[], p_untils bigint[]
) RETURNS SETOF {schema}.outcome LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    r record;
    o {schema}.outcome;
    v_old bytea;
    v_sids bytea[];
    v_ats bigint[];
    v_untils bigint[];
    v_excess bigint;
    v_epoch bigint;
BEGIN
    PERFORM {schema}.lock_subjects(ARRAY(
        SELECT CASE WHEN q.subject = ''::bytea THEN q.sid ELSE q.subject END FROM unnest(p_sids, p_subjects) AS q(sid, subject)));
    RETURN QUERY
    WITH made AS (
        INSERT INTO {schema}.sessions AS s (sid, version, subject, subject_epoch, global_epoch, created_at, last_active,
            deadline, expires_at, due, origin, body)
        SELECT q.sid, 1, q.subject, coalesce((SELECT e.epoch FROM {schema}.epochs e WHERE e.subject = q.subject), 0),
            (SELECT m.global_epoch FROM {schema}.meta m WHERE m.id = 1), q.created, q.active,
            q.deadline, q.expires, q.deadline, q.origin, q.body
        FROM unnest(p_sids, p_subjects, p_created, p_active, p_deadlines, p_expires, p_origins, p_bodies, p_maxes)
            AS q(sid, subject, created, active, deadline, expires, origin, body, most)
        WHERE q.most = 0
        ORDER BY q.sid
        ON CONFLICT DO NOTHING
        RETURNING s.sid, s.subject_epoch, s.global_epoch
    )
    SELECT q.n::integer, CASE WHEN made.sid IS NULL THEN 1 ELSE 0 END, made.subject_epoch, made.global_epoch,
        NULL::bytea, NULL::bigint, NULL::bytea, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bytea, NULL::bytea, NULL::bytea
    FROM unnest(p_sids, p_maxes) WITH ORDINALITY AS q(sid, most, n) LEFT JOIN made ON made.sid = q.sid
    WHERE q.most = 0;

    FOR r IN
        SELECT q.* FROM unnest(p_sids, p_subjects, p_created, p_active, p_deadlines, p_expires, p_origins, p_bodies,
                p_maxes, p_actions, p_nows, p_untils)
            WITH ORDINALITY AS q(sid, subject, created, active, deadline, expires, origin, body, most, action, at, until, n)
        WHERE q.most > 0 ORDER BY q.sid
    LOOP
        o := NULL;
        o.op := r.n;
        SELECT m.global_epoch INTO STRICT v_epoch FROM {schema}.meta m WHERE m.id = 1;
        SELECT count(*) + 1 - r.most INTO v_excess FROM {schema}.sessions s
        WHERE s.subject = r.subject AND s.subject <> ''::bytea AND s.ended_at IS NULL
            AND s.deadline > r.at AND s.global_epoch >= v_epoch AND s.sid <> r.sid;
        IF v_excess > 0 AND r.action = 2 THEN
            o.status := 2;
            RETURN NEXT o;
            CONTINUE;
        END IF;
        INSERT INTO {schema}.sessions AS s (sid, version, subject, subject_epoch, global_epoch, created_at, last_active,
            deadline, expires_at, due, origin, body)
        VALUES (r.sid, 1, r.subject, coalesce((SELECT e.epoch FROM {schema}.epochs e WHERE e.subject = r.subject), 0), v_epoch,
            r.created, r.active, r.deadline, r.expires, r.deadline, r.origin, r.body)
        ON CONFLICT DO NOTHING
        RETURNING s.subject_epoch, s.global_epoch INTO o.epoch, o.seq;
        o.status := CASE WHEN FOUND THEN 0 ELSE 1 END;
        RETURN NEXT o;
        CONTINUE WHEN o.status <> 0 OR v_excess <= 0;
        FOR v_old IN
            SELECT s.sid FROM {schema}.sessions s
            WHERE s.subject = r.subject AND s.subject <> ''::bytea AND s.ended_at IS NULL
                AND s.deadline > r.at AND s.global_epoch >= v_epoch AND s.sid <> r.sid
            ORDER BY CASE WHEN r.action = 1 THEN s.last_active END, s.created_at, s.sid
            LIMIT v_excess
        LOOP
            UPDATE {schema}.sessions s
            SET version = s.version + 1, ended_at = r.at, end_reason = 'session_limit', ended_by = 'system', due = NULL
            WHERE s.sid = v_old AND s.ended_at IS NULL
            RETURNING r.n, 0, NULL::bigint, NULL::bigint, s.sid, s.version, s.subject, s.subject_epoch, s.global_epoch,
                s.ended_at, s.end_reason, s.ended_by, s.body
            INTO o;
            CONTINUE WHEN NOT FOUND;
            RETURN NEXT o;
            v_sids := v_sids || o.sid;
            v_ats := v_ats || r.at;
            v_untils := v_untils || r.until;
        END LOOP;
    END LOOP;
    IF v_sids IS NOT NULL THEN
        PERFORM {schema}.append_ends(v_sids, array_fill('session_limit'::bytea, ARRAY[cardinality(v_sids)]), v_ats, v_untils);
    END IF;
END $$;

-- update_sessions replaces records with distinct SIDs. The entries belong to the
-- ops that p_owners numbers. Status: 0 replaced (epoch is the subject's and seq
-- the global one), 1 not there, 2 ended, 3 changed meanwhile, 4 another's subject.
CREATE FUNCTION {schema}.update_sessions(
    p_sids bytea[], p_versions bigint[], p_subjects bytea[], p_active bigint[], p_deadlines bigint[], p_expires bigint[],
    p_origins bytea[], p_bodies bytea[], p_owners integer[],
    p_kinds smallint[], p_about bytea[], p_generations bigint[],
    p_named bytea[], p_belows bigint[], p_keys bytea[], p_reasons bytea[], p_ats bigint[], p_untils bigint[]
) RETURNS SETOF {schema}.outcome LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    r record;
    o {schema}.outcome;
    done integer[];
    v_epoch bigint;
BEGIN
    PERFORM {schema}.lock_subjects(ARRAY(
        SELECT CASE WHEN q.subject = ''::bytea THEN q.sid ELSE q.subject END FROM unnest(p_sids, p_subjects) AS q(sid, subject)));
    SELECT m.global_epoch INTO STRICT v_epoch FROM {schema}.meta m WHERE m.id = 1;
    FOR r IN
        SELECT q.* FROM unnest(p_sids, p_versions, p_subjects, p_active, p_deadlines, p_expires, p_origins, p_bodies)
            WITH ORDINALITY AS q(sid, version, subject, active, deadline, expires, origin, body, n)
    LOOP
        o := NULL;
        UPDATE {schema}.sessions s
        SET version = s.version + 1, last_active = r.active, deadline = r.deadline, expires_at = r.expires,
            due = least(s.due, r.deadline), body = r.body,
            -- A link that pruning passed on to an older ancestor stays there.
            origin = CASE WHEN r.origin IS NULL THEN NULL ELSE coalesce(s.origin, r.origin) END
        WHERE s.sid = r.sid AND s.version = r.version AND s.subject = r.subject AND s.ended_at IS NULL
            AND s.global_epoch >= v_epoch
        RETURNING s.subject_epoch, s.global_epoch INTO o.epoch, o.seq;
        IF FOUND THEN
            o.status := 0;
            done := done || r.n::integer;
        ELSE
            SELECT CASE
                WHEN s.ended_at IS NOT NULL OR s.global_epoch < v_epoch THEN 2
                WHEN s.version <> r.version THEN 3
                ELSE 4 END
            INTO o.status FROM {schema}.sessions s WHERE s.sid = r.sid;
            o.status := coalesce(o.status, 1);
        END IF;
        o.op := r.n;
        RETURN NEXT o;
    END LOOP;
    IF cardinality(p_owners) > 0 AND done && p_owners THEN
        PERFORM {schema}.append_feed(q.kinds, q.sids, q.generations, q.subjects, q.belows, q.keys, q.reasons, q.ats, q.untils)
        FROM (
            SELECT array_agg(e.kind ORDER BY e.n) AS kinds, array_agg(e.sid ORDER BY e.n) AS sids,
                array_agg(e.generation ORDER BY e.n) AS generations, array_agg(e.subject ORDER BY e.n) AS subjects,
                array_agg(e.below ORDER BY e.n) AS belows, array_agg(e.key ORDER BY e.n) AS keys,
                array_agg(e.reason ORDER BY e.n) AS reasons, array_agg(e.at ORDER BY e.n) AS ats, array_agg(e.until ORDER BY e.n) AS untils
            FROM unnest(p_owners, p_kinds, p_about, p_generations, p_named, p_belows, p_keys, p_reasons, p_ats, p_untils)
                WITH ORDINALITY AS e(owner, kind, sid, generation, subject, below, key, reason, at, until, n)
            WHERE e.owner = ANY (done)
        ) q;
    END IF;
END $$;

-- end_sessions ends records by SID, with those handed off from them unless
-- p_kept says otherwise. Status: 0 done (seq numbers its last entry), 1 not there.
CREATE FUNCTION {schema}.end_sessions(
    p_sids bytea[], p_kept boolean[], p_reasons bytea[], p_bys bytea[], p_nows bigint[], p_untils bigint[]
) RETURNS SETOF {schema}.outcome LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    r record;
    o {schema}.outcome;
    v_sids bytea[] := '{}';
    v_reasons bytea[];
    v_ats bigint[];
    v_untils bigint[];
    v_sid bytea;
    v_name bytea;
    v_names bytea[];
    v_kin bytea[];
    v_n integer;
    v_epoch bigint;
    v_found boolean;
BEGIN
    -- Records are handed off within a subject.
    FOREACH v_sid IN ARRAY p_sids LOOP
        SELECT CASE WHEN s.subject = ''::bytea THEN s.sid ELSE s.subject END INTO v_name
        FROM {schema}.sessions s WHERE s.sid = v_sid;
        v_names := v_names || v_name;
    END LOOP;
    PERFORM {schema}.lock_subjects(v_names);
    SELECT m.global_epoch INTO STRICT v_epoch FROM {schema}.meta m WHERE m.id = 1;
    FOR r IN
        SELECT q.* FROM unnest(p_sids, p_kept, p_reasons, p_bys, p_nows, p_untils)
            WITH ORDINALITY AS q(sid, kept, reason, ended_by, at, until, n)
    LOOP
        v_found := true;
        v_kin := ARRAY[r.sid];
        v_n := 1;
        WHILE v_n <= cardinality(v_kin) LOOP
            UPDATE {schema}.sessions s
            SET version = s.version + 1, ended_at = r.at, ended_by = r.ended_by, due = NULL, end_reason = CASE
                WHEN s.global_epoch < v_epoch THEN 'revoked_all'
                WHEN v_n = 1 THEN r.reason
                ELSE 'linked' END
            WHERE s.sid = v_kin[v_n] AND s.ended_at IS NULL
            RETURNING r.n, 0, NULL::bigint, NULL::bigint, s.sid, s.version, s.subject, s.subject_epoch, s.global_epoch,
                s.ended_at, s.end_reason, s.ended_by, s.body
            INTO o;
            IF FOUND THEN
                RETURN NEXT o;
                v_sids := v_sids || o.sid;
                v_reasons := v_reasons || o.end_reason;
                v_ats := v_ats || r.at;
                v_untils := v_untils || r.until;
            ELSIF v_n = 1 THEN
                -- It has ended, and its kin is ended now; or it is not there, and
                -- what may still name it as its origin is left alone.
                PERFORM 1 FROM {schema}.sessions s WHERE s.sid = r.sid;
                v_found := FOUND;
                EXIT WHEN NOT v_found;
            END IF;
            EXIT WHEN r.kept;
            v_kin := v_kin || ARRAY(SELECT s.sid FROM {schema}.sessions s WHERE s.origin = v_kin[v_n] AND s.sid <> ALL (v_kin));
            v_n := v_n + 1;
        END LOOP;
        o := NULL;
        o.op := r.n;
        o.status := CASE WHEN v_found THEN 0 ELSE 1 END;
        o.seq := cardinality(v_sids);
        RETURN NEXT o;
    END LOOP;
    IF cardinality(v_sids) > 0 THEN
        o := NULL;
        o.op := 0;
        SELECT f.epoch, f.seq INTO o.epoch, o.seq FROM {schema}.append_ends(v_sids, v_reasons, v_ats, v_untils) f;
        RETURN NEXT o;
    END IF;
END $$;

-- end_subject ends all records of a subject: under one entry with its epoch
-- raised, or all but one, each by itself. The row with op 0 has the place of the
-- last entry, and the raised epoch as its global_epoch.
CREATE FUNCTION {schema}.end_subject(
    p_subject bytea, p_except bytea, p_reason bytea, p_by bytea, p_now bigint, p_until bigint
) RETURNS SETOF {schema}.outcome LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    o {schema}.outcome;
    v_sids bytea[] := '{}';
    v_reasons bytea[];
    v_raised bigint;
    v_n integer[];
BEGIN
    PERFORM {schema}.lock_subjects(ARRAY[p_subject]);
    FOR o IN
        WITH done AS (
            UPDATE {schema}.sessions s
            SET version = s.version + 1, ended_at = p_now, ended_by = p_by, due = NULL,
                end_reason = CASE
                    WHEN s.global_epoch < (SELECT m.global_epoch FROM {schema}.meta m WHERE m.id = 1) THEN 'revoked_all'
                    ELSE p_reason END
            WHERE s.subject = p_subject AND s.subject <> ''::bytea AND s.ended_at IS NULL AND s.sid IS DISTINCT FROM p_except
            RETURNING s.*
        )
        SELECT 1, 0, NULL::bigint, NULL::bigint, d.sid, d.version, d.subject, d.subject_epoch, d.global_epoch,
            d.ended_at, d.end_reason, d.ended_by, d.body
        FROM done d ORDER BY d.sid
    LOOP
        RETURN NEXT o;
        v_sids := v_sids || o.sid;
        v_reasons := v_reasons || o.end_reason;
    END LOOP;
    o := NULL;
    o.op := 0;
    IF p_except IS NULL THEN
        INSERT INTO {schema}.epochs AS e VALUES (p_subject, 1)
        ON CONFLICT (subject) DO UPDATE SET epoch = e.epoch + 1
        RETURNING e.epoch INTO v_raised;
        SELECT f.epoch, f.seq INTO o.epoch, o.seq FROM {schema}.append_feed(ARRAY[3::smallint], ARRAY[''::bytea], ARRAY[0::bigint],
            ARRAY[p_subject], ARRAY[v_raised], ARRAY[''::bytea], ARRAY[p_reason], ARRAY[p_now], ARRAY[p_until]) f;
        o.global_epoch := v_raised;
    ELSIF cardinality(v_sids) > 0 THEN
        v_n := ARRAY[cardinality(v_sids)];
        SELECT f.epoch, f.seq INTO o.epoch, o.seq FROM {schema}.append_ends(
            v_sids, v_reasons, array_fill(p_now, v_n), array_fill(p_until, v_n)) f;
        o.seq := o.seq + cardinality(v_sids) - 1;
    END IF;
    RETURN NEXT o;
END $$;

-- end_all raises the global epoch and returns it with the place of its entry.
CREATE FUNCTION {schema}.end_all(p_least bigint, p_reason bytea, p_now bigint, p_until bigint, OUT raised bigint, OUT epoch bigint, OUT seq bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({feed}); -- before the epoch, as everywhere
    UPDATE {schema}.meta m SET global_epoch = greatest(m.global_epoch + 1, p_least) WHERE m.id = 1
    RETURNING m.global_epoch INTO STRICT raised;
    SELECT f.epoch, f.seq INTO epoch, seq FROM {schema}.append_feed(ARRAY[4::smallint], ARRAY[''::bytea], ARRAY[0::bigint],
        ARRAY[''::bytea], ARRAY[raised], ARRAY[''::bytea], ARRAY[p_reason], ARRAY[p_now], ARRAY[p_until]) f;
END $$;

-- take_keys takes distinct keys and returns the numbers of those that were free.
CREATE FUNCTION {schema}.take_keys(p_keys bytea[], p_nows bigint[], p_untils bigint[]) RETURNS SETOF integer LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT q.* FROM unnest(p_keys, p_nows, p_untils) WITH ORDINALITY AS q(key, at, until, n) ORDER BY q.key
    LOOP
        INSERT INTO {schema}.once AS o VALUES (r.key, r.until)
        ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE o.until <= r.at;
        IF FOUND THEN
            RETURN NEXT r.n::integer;
        END IF;
    END LOOP;
END $$;

-- prune ends and removes what is over, in small numbers. It never waits for a
-- row: what somebody else holds is left for the next call. The row with op 0
-- has status 1 if there is more to do.
CREATE FUNCTION {schema}.prune(p_now bigint, p_forget bigint, p_limit integer) RETURNS SETOF {schema}.outcome LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    o {schema}.outcome;
    v_epoch bigint;
    v_late bytea[];
    v_gone bytea[];
    v_free bytea[];
    v_parent bytea;
    v_head {schema}.feed;
    v_n bigint;
    v_room integer := p_limit;
    v_more boolean := false;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'lanyard needs default_transaction_isolation = ''read committed''' USING ERRCODE = '25001';
    END IF;
    SELECT m.global_epoch INTO STRICT v_epoch FROM {schema}.meta m WHERE m.id = 1;

    v_late := ARRAY(
        SELECT s.sid FROM {schema}.sessions s WHERE s.due IS NOT NULL AND s.global_epoch < v_epoch
        ORDER BY s.global_epoch, s.due LIMIT p_limit FOR UPDATE SKIP LOCKED);
    v_room := p_limit - cardinality(v_late);
    v_more := v_room = 0;
    IF v_room > 0 THEN
        v_late := v_late || ARRAY(
            SELECT s.sid FROM {schema}.sessions s WHERE s.global_epoch = v_epoch AND s.due <= p_now
            ORDER BY s.global_epoch, s.due LIMIT v_room FOR UPDATE SKIP LOCKED);
        v_more := cardinality(v_late) = p_limit;
        -- Those that were used since they were put down.
        UPDATE {schema}.sessions s SET due = s.deadline
        WHERE s.sid = ANY (v_late) AND s.ended_at IS NULL AND s.global_epoch = v_epoch AND s.deadline > p_now;
    END IF;
    RETURN QUERY
    UPDATE {schema}.sessions s
    SET version = s.version + 1, ended_at = p_now, ended_by = 'system', due = NULL, end_reason = CASE
        WHEN s.global_epoch < v_epoch THEN 'revoked_all'::bytea
        WHEN s.expires_at <= p_now THEN 'absolute_timeout'
        ELSE 'idle_timeout' END
    WHERE s.sid = ANY (v_late) AND s.ended_at IS NULL AND (s.global_epoch < v_epoch OR s.deadline <= p_now)
    RETURNING 1, 0, NULL::bigint, NULL::bigint, s.sid, s.version, s.subject, s.subject_epoch, s.global_epoch,
        s.ended_at, s.end_reason, s.ended_by, s.body;

    v_gone := ARRAY(
        SELECT s.sid FROM {schema}.sessions s WHERE s.ended_at IS NOT NULL AND s.ended_at <= p_forget
        ORDER BY s.ended_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    v_more := v_more OR cardinality(v_gone) = p_limit;
    -- Those handed off from a removed record count as handed off from its own
    -- origin from now on, so that ending that one still reaches them.
    FOR v_parent IN SELECT DISTINCT s.origin FROM {schema}.sessions s WHERE s.origin = ANY (v_gone) LOOP
        v_free := ARRAY(SELECT s.sid FROM {schema}.sessions s WHERE s.origin = v_parent FOR UPDATE SKIP LOCKED);
        SELECT count(*) INTO v_n FROM {schema}.sessions s WHERE s.origin = v_parent;
        IF cardinality(v_free) < v_n THEN
            v_gone := array_remove(v_gone, v_parent);
        ELSE
            UPDATE {schema}.sessions s SET origin = (SELECT p.origin FROM {schema}.sessions p WHERE p.sid = v_parent)
            WHERE s.sid = ANY (v_free);
        END IF;
    END LOOP;
    DELETE FROM {schema}.sessions s WHERE s.sid = ANY (v_gone);

    DELETE FROM {schema}.once k WHERE k.key IN (
        SELECT l.key FROM {schema}.once l WHERE l.until <= p_now ORDER BY l.until LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n = p_limit;

    SELECT * INTO STRICT v_head FROM {schema}.feed f ORDER BY f.epoch DESC, f.seq DESC LIMIT 1;
    DELETE FROM {schema}.feed f WHERE (f.epoch, f.seq) IN (
        SELECT l.epoch, l.seq FROM {schema}.feed l
        WHERE l.until <= p_now AND l.kind <> 0 AND l.seq < v_head.seq -- numbers never start again
        ORDER BY l.until LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n = p_limit;
    DELETE FROM {schema}.feed f WHERE (f.epoch, f.seq) IN (
        SELECT l.epoch, l.seq FROM {schema}.feed l WHERE l.kind = 0 AND l.seq < v_head.seq
        FOR UPDATE SKIP LOCKED);
    IF v_head.kind <> 0 AND v_head.until <= p_now THEN
        UPDATE {schema}.feed f SET kind = 0 WHERE f.epoch = v_head.epoch AND f.seq = v_head.seq;
    END IF;

    o.op := 0;
    o.status := CASE WHEN v_more THEN 1 ELSE 0 END;
    RETURN NEXT o;
END $$;

-- note is a compare-and-swap on one fact.
CREATE FUNCTION {schema}.note(p_name bytea, p_old bytea, p_value bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    v_now bytea;
BEGIN
    IF p_old <> p_value THEN
        IF p_old = ''::bytea THEN
            INSERT INTO {schema}.notes AS n VALUES (p_name, p_value)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE n.value = ''::bytea;
        ELSE
            UPDATE {schema}.notes n SET value = p_value WHERE n.name = p_name AND n.value = p_old;
        END IF;
    END IF;
    SELECT n.value INTO v_now FROM {schema}.notes n WHERE n.name = p_name;
    RETURN coalesce(v_now, ''::bytea);
END $$;

-- import_sessions stores records as they are and appends entries;
-- it returns how many records were stored.
CREATE FUNCTION {schema}.import_sessions(
    p_sids bytea[], p_versions bigint[], p_subjects bytea[], p_subject_epochs bigint[], p_global_epochs bigint[],
    p_created bigint[], p_active bigint[], p_deadlines bigint[], p_expires bigint[], p_origins bytea[],
    p_ended bigint[], p_reasons bytea[], p_bys bytea[], p_bodies bytea[], p_least bigint,
    p_kinds smallint[], p_about bytea[], p_generations bigint[],
    p_named bytea[], p_belows bigint[], p_keys bytea[], p_whys bytea[], p_ats bigint[], p_untils bigint[]
) RETURNS integer LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_stored integer;
BEGIN
    PERFORM {schema}.lock_subjects(p_subjects || p_named);
    PERFORM pg_advisory_xact_lock({feed});
    INSERT INTO {schema}.sessions (sid, version, subject, subject_epoch, global_epoch, created_at, last_active, deadline,
        expires_at, due, origin, ended_at, end_reason, ended_by, body)
    SELECT q.sid, q.version, q.subject, q.subject_epoch, q.global_epoch, q.created, q.active, q.deadline,
        q.expires, CASE WHEN q.ended IS NULL THEN q.deadline END, q.origin, q.ended, q.reason, q.ended_by, q.body
    FROM unnest(p_sids, p_versions, p_subjects, p_subject_epochs, p_global_epochs, p_created, p_active, p_deadlines,
            p_expires, p_origins, p_ended, p_reasons, p_bys, p_bodies)
        AS q(sid, version, subject, subject_epoch, global_epoch, created, active, deadline, expires, origin, ended, reason, ended_by, body)
    ORDER BY q.sid
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_stored = ROW_COUNT;
    -- Entries count as well: a record made later must not be older than they say.
    INSERT INTO {schema}.epochs AS e
    SELECT q.subject, max(q.epoch) FROM (
        SELECT * FROM unnest(p_subjects, p_subject_epochs) AS r(subject, epoch)
        UNION ALL
        SELECT l.subject, l.epoch FROM unnest(p_named, p_belows, p_kinds) AS l(subject, epoch, kind)
        WHERE l.kind = 3
    ) q
    WHERE q.subject <> ''::bytea AND q.epoch > 0 GROUP BY q.subject ORDER BY q.subject
    ON CONFLICT (subject) DO UPDATE SET epoch = greatest(e.epoch, excluded.epoch);
    UPDATE {schema}.meta m SET global_epoch = p_least WHERE m.id = 1 AND m.global_epoch < p_least;
    IF cardinality(p_kinds) > 0 THEN
        PERFORM {schema}.append_feed(p_kinds, p_about, p_generations, p_named, p_belows, p_keys, p_whys, p_ats, p_untils);
    END IF;
    RETURN v_stored;
END $$;
