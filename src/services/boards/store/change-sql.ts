import { bannedSql } from "../../bans/contract";

/**
 * The common part of the statements that move players: the result of a batch's entries, one row for each ranking and player
 * that changes. Both the spans and the scores are written from this one text, so that they agree.
 *
 * ```
 * entries ─► entry (neither banned nor erased) ─► dealt (to each ranking, no more than the most a day)
 *       places ─► place ──────────────────────────┘  └► ordered (one a ranking and player) ─► change (of what stands)
 * ```
 *
 * Parameters: ?1 entries, ?2 targets (both `plan-batch.ts`), ?3 now, ?4 room. Corrections (`corrections.ts`) use it too, with an
 * entry that no ban or erasure stops, `last` to set a score, and `remove` to remove it.
 */
export const CHANGES = `
${targetCte("?2")},
entry as (
  select value ->> 0 as slot, value ->> 1 as user, value ->> 2 as name, value ->> 3 as points,
    value ->> 4 as tie, value ->> 6 as at, value ->> 7 as seq
  from json_each(?1)
  where value ->> 8 = 1 or not (${bannedSql("value ->> 1", "?4", "?3")} or ${erasedSql()})
),
placed as (
  select place.*, entry.user, entry.name, points, entry.tie, at, seq,
    coalesce(place.turn * counted.score, 0) as had,
    sum(points) over of_day as by_then, row_number() over of_day as by_then_at
  from entry join place on place.slot = entry.slot
  left join scores as counted on counted.ranking = place.day_ranking and counted.user = entry.user
  window of_day as (
    partition by place.ranking, place.day_ranking, entry.user
    order by entry.slot, at, seq rows unbounded preceding
  )
),
capped as (
  select *, max(most, had) as cap,
    max(by_then) over (of_day rows unbounded preceding) as highest,
    max(by_then) over (of_day rows between unbounded preceding and 1 preceding) as highest_before
  from placed
  window of_day as (partition by ranking, day_ranking, user order by by_then_at)
),
dealt as (
  select ranking, combine, user, name, tie_turn * tie as tie, at, seq,
    -- Points above the daily cap are lost for good. After a loss of points, new points count again.
    turn * case when day_ranking is null then points
      else points - max(0, had + highest - cap) + max(0, had + coalesce(highest_before, 0) - cap)
    end as score
  from capped
),
ordered as (
  select ranking, combine, user, tie, at, seq,
    case combine when 'sum' then sum(score) over of_player else score end as score,
    max(at) over of_player as last_at,
    first_value(name) over (partition by ranking, user order by at desc, seq desc) as name,
    row_number() over (
      partition by ranking, user
      order by
        case combine when 'best' then score end, case combine when 'best' then tie end,
        case combine when 'sum' then score = 0 end,
        case combine when 'best' then at else -at end, case combine when 'best' then seq else -seq end
    ) as pick
  from dealt
  window of_player as (partition by ranking, user)
),
compared as (
  select new.ranking, new.user, new.combine, new.score, new.tie, new.at, new.seq, new.name, new.last_at,
    old.user is null as is_new, old.score as old_score, old.tie as old_tie, old.name as old_name,
    old.reached_at as old_at, old.reached_seq as old_seq, old.last_at as old_last_at,
    case new.combine
      when 'best' then (new.score, new.tie, new.at, new.seq) < (old.score, old.tie, old.reached_at, old.reached_seq)
      when 'last' then new.last_at >= old.last_at
      when 'remove' then 1
      else (new.at, new.seq) > (old.reached_at, old.reached_seq)
    end as takes
  from ordered as new left join scores as old on old.ranking = new.ranking and old.user = new.user
  where new.pick = 1
    and case new.combine when 'sum' then new.score <> 0 when 'remove' then old.user is not null else 1 end
),
settled as (
  select *,
    case when is_new then score when combine = 'sum' then old_score + score when takes then score else old_score end
      as to_score,
    -- A correction may leave the tie unchanged.
    case when is_new or takes then coalesce(tie, old_tie, 0) else old_tie end as to_tie,
    is_new or takes as is_reached,
    case when is_new or last_at >= old_last_at then name else old_name end as to_name
  from compared
),
change as (
  select ranking, user, to_name as name, to_score as score, to_tie as tie,
    case when is_reached then at else old_at end as reached_at,
    case when is_reached then seq else old_seq end as reached_seq,
    case when is_new then last_at else max(last_at, old_last_at) end as last_at,
    is_new, combine = 'remove' as is_gone, old_score, old_tie, old_at, old_seq,
    is_new or is_reached or to_score <> old_score as is_moved
  from settled
  where is_new or is_reached or to_score <> old_score or to_name <> old_name
)`;

/** The rankings that the slots of a batch feed, including seasons. */
export function targetCte(targets: string): string {
  const columns = `p.value ->> 0 as slot, r.id as ranking, r.board, p.value ->> 3 as combine, p.value ->> 4 as turn,
    p.value ->> 5 as tie_turn, p.value ->> 6 as most, r.period like 'day:%' as is_day`;
  return `named as (
  select ${columns} from json_each(${targets}) p
    join rankings r on r.board = p.value ->> 1 and r.period = p.value ->> 2
  union all
  select ${columns} from json_each(${targets}) p
    join seasons s on p.value ->> 2 = 'season' and ${inSeasonSql("p.value")}
    join rankings r on r.board = p.value ->> 1 and r.period = 'season:' || s.season
),
place as materialized (
  select *, max(ranking) filter (where is_day and most is not null) over (partition by slot, board) as day_ranking
  from named
)`;
}

export function inSeasonSql(target: string): string {
  return `s.board = ${target} ->> 7 and s.opens_at <= ${target} ->> 8 and s.closes_at > ${target} ->> 8`;
}

/** A condition: the entry started before its user was erased. */
export function erasedSql(): string {
  return "exists (select 1 from players where user = value ->> 1 and erased_at >= value ->> 5)";
}
